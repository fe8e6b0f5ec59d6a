"""A lesson: the teacher's page and the learners' pages beside it, in real browsers and over raw websockets."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browser import (
    address,
    assert_for_everybody,
    button,
    loss_points,
    wait_for_address,
    wait_for_points,
    wait_for_status,
    wait_until_drawn,
)
from tests.e2e.conftest import OpenPage
from tests.e2e.lesson import LONG_RUN, PASSPHRASE, confirm, enter, train_slowly
from tests.e2e.server import LEAN, Server, running_server

LONGER_THAN_A_PUSH_SECONDS = 0.5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A workshop's server."""
    folder = tmp_path_factory.mktemp("workshop")
    with running_server(folder, {**LEAN, "DPDASH_TEACHER_PASSPHRASE": PASSPHRASE}) as server:
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
    assert learner.get_by_test_id("stTopNavLink").filter(has_text="Parallelism").count() == 1

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
    assert PASSPHRASE not in address(page) and not any(PASSPHRASE in str(cookie) for cookie in context.cookies())

    page.get_by_role("link", name="Train").click()
    wait_until_drawn(page)
    page.get_by_role("link", name="Room").click()
    page.get_by_text("Pages open").wait_for()
    context.close()


@pytest.mark.long
def test_a_lesson(room: Page, open_page: OpenPage) -> None:
    shown, busy, idle = open_page(LONG_RUN), open_page(LONG_RUN), open_page()
    train_slowly(shown)
    train_slowly(busy)
    expect(rows(room)).to_have_count(2)
    idle.locator(".st-key-samples input[type=range]").focus()
    idle.keyboard.press("ArrowRight")
    wait_for_address(idle, r"samples=20000&")

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
    wait_for_address(idle, r"samples=20000&")
    assert "run=" not in idle.url

    room.get_by_role("button", name="Freeze new runs").click()
    idle.get_by_text("The teacher has paused new runs.").wait_for()
    expect(button(idle, "start")).to_be_disabled()
    confirm(room, "Stop all", "Stop all runs")
    for page in (shown, busy):
        wait_for_status(page, "by the teacher")
    room.get_by_text("Nobody trains now.").wait_for()
    confirm(room, "Clear", "Clear every page")
    for page in (shown, busy):
        wait_for_status(page, "ready")
        wait_for_address(page, "^(?!.*run=)")


def test_the_room_is_for_everybody(room: Page, open_page: OpenPage) -> None:
    learner = open_page(LONG_RUN)
    train_slowly(learner)
    room.get_by_role("button", name="Spotlight", exact=True).click()
    room.get_by_role("button", name="End the spotlight").wait_for()
    room.get_by_role("button", name="Freeze new runs").click()
    room.get_by_role("button", name="Allow new runs").wait_for()
    room.mouse.move(0, 0)
    assert_for_everybody(room)
