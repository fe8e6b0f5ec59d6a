"""A lesson: the teacher's page and the learners' pages beside it, in real browsers and over raw websockets."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Locator, Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from dpdash.runs.crowd import FEW_PAGES
from tests.e2e.browser import (
    NOT_RUNNING,
    button,
    loss_points,
    wait_for_points,
    wait_for_script,
    wait_for_status,
    wait_until_drawn,
)
from tests.e2e.conftest import OpenPage
from tests.e2e.lesson import LONG_RUN, PASSPHRASE, confirm, enter, train_slowly
from tests.e2e.server import Server, running_server
from tests.loops import in_a_loop_of_its_own
from tests.raw_client import ANSWER_SECONDS, RawPage, new_cookie, texts

LONGER_THAN_A_PUSH_SECONDS = 0.5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A workshop's server."""
    folder = tmp_path_factory.mktemp("workshop")
    with running_server(folder, {"DPDASH_TEACHER_PASSPHRASE": PASSPHRASE}) as server:
        yield server


@pytest.fixture
def room(browser: Browser, server: Server) -> Iterator[Page]:
    """The Room as the teacher has it open; at the end it is cleared for the next lesson."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, locale="en-US")
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"{server.url}/room")
    enter(page, PASSPHRASE)
    page.get_by_text("Pages open").wait_for()
    yield page
    page.set_viewport_size({"width": 1440, "height": 1000})
    if page.get_by_role("button", name="Allow new runs").is_visible():
        page.get_by_role("button", name="Allow new runs").click()
    confirm(page, "Clear", "Clear every page")
    page.get_by_text("Nobody trains now.").wait_for()
    context.close()
    assert failures == []


def rows(room: Page) -> Locator:
    return room.locator(".st-key-room_runs .dpdash-row")


def test_only_the_passphrase_opens_the_room(browser: Browser, server: Server, open_page: OpenPage) -> None:
    learner = open_page()
    assert learner.get_by_role("link", name="Room").count() == 0

    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"{server.url}/room")
    enter(page, "wrong passphrase")
    page.get_by_text("This is not the passphrase.").wait_for()
    assert page.get_by_text("Pages open").count() == 0
    enter(page, PASSPHRASE)
    page.get_by_text("Pages open").wait_for()
    page.reload()
    page.get_by_text("Pages open").wait_for()
    assert PASSPHRASE not in page.url and not any(PASSPHRASE in str(cookie) for cookie in context.cookies())

    page.get_by_role("link", name="Train").click()
    wait_until_drawn(page)
    page.get_by_role("link", name="Room").click()
    page.get_by_text("Pages open").wait_for()
    context.close()


def test_a_lesson(room: Page, open_page: OpenPage) -> None:
    shown, busy, idle = open_page(LONG_RUN), open_page(LONG_RUN), open_page()
    train_slowly(shown)
    train_slowly(busy)
    expect(rows(room)).to_have_count(2)
    idle.locator(".st-key-samples input[type=range]").focus()
    idle.keyboard.press("ArrowRight")
    expect(idle).to_have_url(re.compile(r"samples=20000&"))

    room.get_by_role("button", name="Spotlight", exact=True).first.click()
    idle.get_by_text("The teacher shows this run on every page.").wait_for()
    wait_for_status(idle, "running")
    wait_for_points(idle, loss_points(idle))
    busy.get_by_text("Your own run goes on.").wait_for()
    expect(button(busy, "stop")).to_be_disabled()
    shown.get_by_text("Everybody sees this run of yours").wait_for()

    button(shown, "pause").click()
    wait_for_status(idle, "paused at epoch")
    button(shown, "pause").click()
    wait_for_status(idle, "running")

    room.get_by_role("button", name="End the spotlight").click()
    wait_for_status(idle, "ready")
    wait_for_status(busy, "running")
    expect(button(busy, "stop")).to_be_enabled()
    expect(idle.locator(".st-key-samples")).to_contain_text("20,000")
    expect(idle).to_have_url(re.compile(r"samples=20000&"))
    assert "run=" not in idle.url

    room.get_by_role("button", name="Freeze new runs").click()
    idle.get_by_text("The teacher has paused new runs.").wait_for()
    button(idle, "start").click()
    idle.get_by_text("Wait until they are allowed again.").wait_for()
    confirm(room, "Stop all", "Stop all runs")
    for page in (shown, busy):
        wait_for_status(page, "by the teacher")
    room.get_by_text("Nobody trains now.").wait_for()
    confirm(room, "Clear", "Clear every page")
    for page in (shown, busy):
        wait_for_status(page, "ready")
        expect(page).not_to_have_url(re.compile("run="))


def test_the_room_is_for_everybody(room: Page, open_page: OpenPage) -> None:
    """Axe finds nothing, and nothing scrolls sideways, in each size and theme."""
    learner = open_page(LONG_RUN)
    train_slowly(learner)
    room.get_by_role("button", name="Spotlight", exact=True).click()
    room.get_by_role("button", name="End the spotlight").wait_for()
    room.get_by_role("button", name="Freeze new runs").click()
    room.get_by_role("button", name="Allow new runs").wait_for()
    room.mouse.move(0, 0)
    for width, theme in ((1440, "light"), (1440, "dark"), (380, "dark"), (380, "light")):
        room.set_viewport_size({"width": width, "height": 1800})
        room.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # one of its literals
        room.wait_for_selector(NOT_RUNNING)
        wait_for_script(room, "!document.querySelector('[data-stale=true], [data-testid=stTooltipContent]')")
        for selector in ("html", "[data-testid=stMain]"):
            assert room.evaluate(f"document.querySelector('{selector}').scrollWidth") <= width
        found = Axe().run(room, options={"resultTypes": ["violations"]}).response["violations"]
        assert [rule["nodes"] for rule in found if rule["impact"] in ("serious", "critical")] == []


def hash_of_room(messages: Iterable[ForwardMsg]) -> str:
    pages = [page for message in messages for page in message.navigation.app_pages]
    return next(page.page_script_hash for page in pages if page.url_pathname == "room")


def widgets(messages: Iterable[ForwardMsg]) -> dict[str, str]:
    """The ids of buttons and text fields by their labels."""
    found = {}
    for message in messages:
        element = message.delta.new_element
        for widget in (element.button, element.text_input):
            if widget.id:
                found[widget.label] = widget.id
    return found


def pressed(widget: str) -> WidgetState:
    return WidgetState(id=widget, trigger_value=True)


async def enter_raw(page: RawPage) -> dict[str, str]:
    """Open the Room over a websocket; its widgets."""
    page.page_hash = hash_of_room(await page.run())
    form = widgets(await page.run())
    typed = WidgetState(id=form["The teacher's passphrase"], string_value=PASSPHRASE)
    return widgets(await page.run([typed, pressed(form["Open the room"])]))


def test_forged_frames_decide_nothing(server: Server) -> None:
    """A learner's page that sends what a teacher's would: ids are the same on every page."""

    async def scenario() -> None:
        async with (
            RawPage.opened(server.url, cookie=new_cookie(server.url)) as teacher,
            RawPage.opened(server.url, cookie=new_cookie(server.url)) as learner,
        ):
            room = await enter_raw(teacher)
            learner.page_hash = hash_of_room(await learner.run())
            await run_something(server)
            for question in ("Stop all", "Clear"):
                room |= widgets(await teacher.run())
                room |= widgets(await teacher.run([pressed(room[question])]))
            for label in ("Freeze new runs", "Stop all runs", "Clear every page"):
                answer = texts(await learner.run([pressed(room[label])]))
                assert "Open the room" in answer and "Pages open" not in answer
            assert "Freeze new runs" in widgets(await teacher.run())
            assert "Nobody trains now." not in texts(await teacher.run())
            await teacher.run([pressed(room["Clear every page"])])

    in_a_loop_of_its_own(scenario())


async def run_something(server: Server) -> None:
    """Let a learner start a run that lasts, and put the phone away."""
    async with RawPage.opened(server.url, LONG_RUN[1:], new_cookie(server.url)) as learner:
        await learner.run()
        learner.set("pace", "Slow motion")
        await learner.click("transport_start")


async def until_it_shows(page: RawPage, label: str) -> None:
    """Draw a page until it has a button of this name, for a command takes effect within an epoch."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while label not in widgets(await page.run()):
            await asyncio.sleep(0.05)


async def is_drawn_again(page: RawPage) -> bool:
    """Whether the server draws a page now without being asked."""
    try:
        async with asyncio.timeout(LONGER_THAN_A_PUSH_SECONDS):
            while (await page.receive()).WhichOneof("type") != "new_session":
                pass
    except TimeoutError:
        return False
    return True


def test_a_click_that_a_timer_sends_along_counts_once(server: Server) -> None:
    """What the browser's script does when the timer goes off between a click and its sending."""

    async def scenario() -> None:
        query = LONG_RUN.removeprefix("?")
        async with RawPage.opened(server.url, query, cookie=new_cookie(server.url)) as page:
            await page.run()
            answer = await page.click("transport_start")
            assert page.timer is not None
            click = [pressed(widgets(answer)["Pause"])]
            await page.run(click, fragment=page.timer[0], timer=True)
            await page.run(click)
            await until_it_shows(page, "Go on")
            await page.click("transport_stop")

    in_a_loop_of_its_own(scenario())


def test_a_timer_that_goes_off_while_a_run_is_paused_looks_back_at_nothing(server: Server) -> None:
    """It says where the slider stood when it went off, and nobody has moved it since."""

    async def scenario() -> None:
        query = LONG_RUN.removeprefix("?")
        async with RawPage.opened(server.url, query, cookie=new_cookie(server.url)) as page:
            await page.run()
            page.set("pace", "Max")
            await page.click("transport_start")
            while look_back(await page.refresh()) < 2:
                await asyncio.sleep(0.05)
            assert page.timer is not None
            fragment, stood = page.timer[0], page.widget_states
            await page.click("transport_pause")
            await until_it_shows(page, "Go on")
            paused_at = look_back(await page.run())
            shown = await page.run(stood, fragment=fragment, timer=True)
            assert look_back(shown) == look_back(await page.run()) == paused_at
            await page.click("transport_stop")

    in_a_loop_of_its_own(scenario())


def look_back(messages: Iterable[ForwardMsg]) -> int:
    """The epoch at which the look back stands."""
    labels = [message.delta.new_element.slider.label for message in messages]
    return next(int(re.sub(r"\D", "", label)) for label in reversed(labels) if label.startswith("Look back"))


def test_a_second_tab_of_a_paused_run_sees_it_go_on(server: Server) -> None:
    async def scenario() -> None:
        cookie = new_cookie(server.url)
        async with (
            RawPage.opened(server.url, LONG_RUN.removeprefix("?"), cookie=cookie) as page,
            RawPage.opened(server.url, cookie=new_cookie(server.url)) as other,
        ):
            await page.run()
            await page.click("transport_start")
            await page.click("transport_pause")
            await until_it_shows(page, "Go on")
            async with RawPage.opened(server.url, page.query, cookie=cookie) as tab:
                await tab.run()
                await other.run()
                assert tab.timer is None and other.timer is None
                await page.click("transport_pause")
                await tab.answer()
                assert tab.timer is not None
                await page.click("transport_stop")
            assert not await is_drawn_again(other), "a page that does not show this run is left alone"

    in_a_loop_of_its_own(scenario())


def test_pages_that_rest_are_told_and_others_are_left_alone(server: Server) -> None:
    async def scenario() -> None:
        async with (
            RawPage.opened(server.url, cookie=new_cookie(server.url)) as teacher,
            RawPage.opened(server.url, "samples=2000&epochs=100", cookie=new_cookie(server.url)) as idle,
            RawPage.opened(server.url, "samples=3000", cookie=new_cookie(server.url)) as mute,
        ):
            room = await enter_raw(teacher)
            await idle.run()
            assert idle.timer is None
            await teacher.run([pressed(room["Freeze new runs"])])
            assert "paused new runs" in texts(await idle.answer())
            assert "samples=2000&" in idle.query and "epochs=100&" in idle.query
            # Only the page itself knows its link before its first word.
            assert "paused new runs" in texts(await mute.run()) and "samples=3000&" in mute.query
            room = widgets(await teacher.run())
            await teacher.run([pressed(room["Allow new runs"])])
            assert "paused new runs" not in texts(await idle.answer())

    in_a_loop_of_its_own(scenario())


def test_a_page_is_refreshed_less_often_in_a_crowd(server: Server) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as pages:
            page = await pages.enter_async_context(RawPage.opened(server.url, LONG_RUN.removeprefix("?")))
            await page.run()
            await page.click("transport_start")
            assert page.timer is not None
            alone = page.timer[1]
            for _learner in range(2 * FEW_PAGES):
                learner = await pages.enter_async_context(RawPage.opened(server.url))
                await learner.run()
            await page.refresh()
            assert page.timer is not None and page.timer[1] > alone
            await page.click("transport_stop")

    in_a_loop_of_its_own(scenario())
