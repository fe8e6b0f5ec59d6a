"""What a person does on the Train page, in a real browser."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect

from tests.e2e.browser import (
    WAIT_MS,
    address,
    button,
    loss_points,
    open_list,
    wait_for_address,
    wait_for_points,
    wait_for_script,
    wait_for_status,
    wait_until_drawn,
)
from tests.e2e.conftest import OpenPage
from tests.e2e.server import Server
from tests.fakes import eventually

LONG = "?samples=1000&epochs=100000&engine=single&replicas=1"
"""A run that lasts longer than its test, unless that stops it."""
SHORT = "?samples=1000&epochs=60&engine=single&replicas=1"
IDLE_MS = 3000
LONGER_THAN_AN_UPDATE_MS = 700
MAX_LAYOUT_SHIFT = 0.02
MARK_NODES = "document.querySelectorAll('.dpdash-plot .main-svg').forEach((node) => (node.marked = true))"
ALL_MARKED = "[...document.querySelectorAll('.dpdash-plot .main-svg')].every((node) => node.marked)"
OBSERVE_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.shifts.push(entry.value)))
    .observe({type: 'layout-shift', buffered: false});
"""


def start(page: Page, pace: str | None = None) -> None:
    if pace is not None:
        choose_pace(page, pace)
    button(page, "start").click()


def choose_pace(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name).click()


def epoch_of_status(page: Page) -> int:
    text = page.locator(".dpdash-status").inner_text()
    return int(text.split("epoch ")[1].replace(",", ""))


def wait_for_epoch(page: Page, epoch: int) -> None:
    page.locator("[data-testid=stProgress]", has_text=f"epoch {epoch:,} of").wait_for()


def wait_until_quiet(page: Page, frames: list[str]) -> None:
    """Wait until a whole second has brought no frame."""
    for _second in range(WAIT_MS // 1000):
        frames.clear()
        page.wait_for_timeout(1000)
        if not frames:
            return
    raise AssertionError("the page never falls silent")


def wait_until_at_rest(page: Page) -> None:
    """Wait until half a second has moved nothing, and forget what moved before."""
    for _attempt in range(WAIT_MS // 500):
        page.evaluate("window.shifts = []")
        page.wait_for_timeout(500)
        if not page.evaluate("window.shifts.length"):
            return
    raise AssertionError("the page never comes to rest")


def zoomed_range(page: Page) -> list[float]:
    shown: list[float] = page.evaluate("document.querySelector('.dpdash-plot').layout.xaxis.range")
    return shown


def test_a_whole_run(open_page: OpenPage) -> None:
    """Start, watch, zoom, pause, step, learning rate, stop, reload, look back: one person's visit."""
    page = open_page(LONG)
    assert loss_points(page) == 0
    start(page, "Slow motion")
    wait_for_status(page, "running")
    wait_for_points(page, 2)

    # The page stays responsive while the run trains: another view opens at once.
    page.get_by_role("radio", name="Table").click()
    page.locator("[data-testid=stDataFrame]").wait_for()

    page.evaluate(MARK_NODES)
    page.locator(".dpdash-plot").first.scroll_into_view_if_needed()
    box = page.locator(".dpdash-plot").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 150, box["y"] + 120)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 200, steps=5)
    page.wait_for_timeout(LONGER_THAN_AN_UPDATE_MS)
    page.mouse.move(box["x"] + 310, box["y"] + 210, steps=5)
    page.mouse.up()
    wait_for_script(page, "document.querySelector('.dpdash-plot').layout.xaxis.range[0] > 0")
    zoom = zoomed_range(page)
    page.locator(".legendtoggle").first.click()
    fit = "document.querySelectorAll('.dpdash-plot')[1]"
    hidden = f"{fit}.data.filter((trace) => trace.visible === 'legendonly').length"
    wait_for_script(page, f"{hidden} === 1")
    for _update in range(3):
        wait_for_points(page, loss_points(page))
    assert zoomed_range(page) == zoom
    assert page.evaluate(hidden) == 1
    assert page.evaluate(ALL_MARKED)

    button(page, "pause").click()
    wait_for_status(page, "paused at epoch")
    paused_at = epoch_of_status(page)
    for step in (1, 2):
        button(page, "step").click()
        wait_for_epoch(page, paused_at + step)
    wait_for_status(page, f"paused at epoch {paused_at + 2}")

    slider = page.locator(".st-key-learning_rate input[type=range]")
    slider.focus()
    slider.press("ArrowRight")
    page.locator(".st-key-learning_rate", has_text="0.02").wait_for()
    button(page, "step").click()
    wait_for_epoch(page, paused_at + 3)
    changes = "document.querySelector('.dpdash-plot').layout.annotations.map((label) => label.text).join()"
    wait_for_script(page, f"{changes}.includes('0.02')")

    button(page, "stop").click()
    wait_for_status(page, f"stopped at epoch {paused_at + 3}")
    page.reload()
    wait_until_drawn(page)
    wait_for_status(page, f"stopped at epoch {paused_at + 3}")
    wait_for_points(page, paused_at + 2)
    assert loss_points(page) == paused_at + 3

    look_back = page.locator(".st-key-look_back_slider input[type=range]")
    look_back.focus()
    look_back.press("Home")
    page.locator(".st-key-look_back_slider", has_text="epoch 1").wait_for()
    cursor = "document.querySelector('.dpdash-plot').data.find((trace) => trace.uid === 'now').x[0]"
    wait_for_script(page, f"{cursor} === 1")


@pytest.mark.long
def test_default_run_lasts_about_eight_seconds_and_its_link_finds_it(open_page: OpenPage) -> None:
    page = open_page()
    start(page)
    wait_for_status(page, "finished")
    wait_for_points(page, 499)
    query = parse_qs(urlsplit(page.url).query)
    assert query["epochs"] == ["500"]
    watcher = open_page(f"?run={query['run'][0]}")
    wait_for_points(watcher, 499)
    expect(watcher.get_by_text("You are watching a run of another browser")).to_be_visible()
    expect(button(watcher, "stop")).to_be_disabled()


@pytest.mark.long
def test_second_tab_of_the_same_browser_may_steer(open_page: OpenPage) -> None:
    page = open_page(LONG)
    start(page, "Slow motion")
    wait_for_status(page, "running")
    tab = page.context.new_page()
    tab.goto(page.url)
    wait_until_drawn(tab)
    button(tab, "stop").click()
    wait_for_status(tab, "stopped")
    wait_for_status(page, "stopped")


@pytest.mark.long
def test_a_page_that_is_seen_again_shows_what_it_missed(open_page: OpenPage) -> None:
    page = open_page(LONG)
    start(page, "Slow motion")
    wait_for_status(page, "running")
    button(page, "pause").click()
    wait_for_status(page, "paused")
    tab = page.context.new_page()
    tab.goto(page.url)
    wait_until_drawn(tab)
    wait_for_status(tab, "paused")
    button(page, "stop").click()
    wait_for_status(page, "stopped")
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    wait_for_status(tab, "stopped")


def test_a_reload_in_mid_run_goes_on_watching(open_page: OpenPage) -> None:
    page = open_page(LONG)
    start(page, "Slow motion")
    wait_for_points(page, 1)
    page.reload()
    wait_until_drawn(page)
    wait_for_status(page, "running")
    wait_for_points(page, loss_points(page))
    button(page, "stop").click()
    wait_for_status(page, "stopped")


@pytest.mark.long
def test_pace_changes_in_mid_run(open_page: OpenPage) -> None:
    page = open_page("?samples=100&epochs=2000&engine=single&replicas=1")
    start(page, "Slow motion")
    wait_for_status(page, "running")
    choose_pace(page, "Max")
    wait_for_status(page, "finished")


def test_shortcuts_work_while_a_slider_has_the_focus(open_page: OpenPage) -> None:
    page = open_page(LONG)
    choose_pace(page, "Slow motion")
    page.locator(".st-key-samples input[type=range]").focus()
    page.keyboard.press("Control+Enter")
    wait_for_status(page, "running")
    page.keyboard.press("Control+Shift+X")
    wait_for_status(page, "stopped")


@pytest.mark.parametrize(
    "keys",
    [
        ("Enter", "Shift+X", "Enter", "Backspace"),
        pytest.param(("Enter", "Enter", "Backspace"), marks=pytest.mark.long),
    ],
)
def test_keys_in_a_burst_leave_nothing_that_trains_unseen(
    keys: tuple[str, ...], open_page: OpenPage, server: Server
) -> None:
    page = open_page(LONG)
    choose_pace(page, "Slow motion")
    for delay_ms in (0, 10, 60):
        page.keyboard.press("Control+Enter")
        wait_for_status(page, "running")
        for key in keys:
            page.keyboard.press(f"Control+{key}")
            page.wait_for_timeout(delay_ms)
        eventually(lambda: trains(server) == shown_as_live(page), WAIT_MS / 1000)
        eventually(lambda: is_reset(page), WAIT_MS / 1000)
        eventually(lambda: trains(server) == set(), WAIT_MS / 1000)


def is_reset(page: Page) -> bool:
    """Whether the page is back at the preview; a press that comes while the button is off does nothing."""
    if page.locator(".dpdash-status").inner_text() == "ready":
        return True
    page.keyboard.press("Control+Backspace")
    page.wait_for_timeout(LONGER_THAN_AN_UPDATE_MS)
    return False


def trains(server: Server) -> set[str]:
    """The runs that are not over."""
    with closing(sqlite3.connect(server.database)) as connection:
        rows = connection.execute("SELECT id FROM runs WHERE status IN ('waiting', 'running', 'paused')")
        return {run_id for (run_id,) in rows}


def shown_as_live(page: Page) -> set[str]:
    """The run that the page says is not over."""
    status = page.locator(".dpdash-status").inner_text()
    shown = parse_qs(urlsplit(address(page)).query).get("run", [])
    return set(shown) if status.startswith(("running", "waiting", "stopping", "paused")) else set()


@pytest.mark.long
def test_no_frames_when_nothing_trains(open_page: OpenPage) -> None:
    frames: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda _: frames.append("received"))
        socket.on("framesent", lambda _: frames.append("sent"))

    page = open_page()
    page.on("websocket", listen)
    page.reload()
    wait_until_drawn(page)
    wait_until_quiet(page, frames)
    page.wait_for_timeout(IDLE_MS)
    assert frames == []

    start(page, "Max")
    wait_for_status(page, "finished")
    wait_until_quiet(page, frames)
    page.wait_for_timeout(IDLE_MS)
    assert frames == []


@pytest.mark.parametrize("size", [(1440, 900), pytest.param((380, 800), marks=pytest.mark.long)])
def test_nothing_jumps_during_a_run(open_page: OpenPage, size: tuple[int, int]) -> None:
    page = open_page(SHORT, viewport={"width": size[0], "height": size[1]})
    page.evaluate(OBSERVE_SHIFTS)
    wait_until_at_rest(page)
    start(page)
    wait_for_status(page, "finished")
    page.wait_for_timeout(500)
    assert page.evaluate("window.shifts.reduce((sum, shift) => sum + shift, 0)") <= MAX_LAYOUT_SHIFT


@pytest.mark.long
@pytest.mark.parametrize("language", [pytest.param("en-US", marks=pytest.mark.long), "pt-BR"])
def test_phone_has_no_horizontal_scroll(open_page: OpenPage, language: str) -> None:
    page = open_page(SHORT, viewport={"width": 380, "height": 800}, locale=language, has_touch=True)
    start(page, None)
    page.locator(".dpdash-finished").wait_for()
    for selector in ("html", "[data-testid=stMain]"):
        assert page.evaluate(f"document.querySelector('{selector}').scrollWidth") <= 380


def test_theme_follows_the_system_and_recolours_the_charts(open_page: OpenPage) -> None:
    page = open_page(SHORT, color_scheme="dark")
    start(page, "Max")
    wait_for_status(page, "finished")
    page.evaluate(MARK_NODES)
    background = "document.querySelector('.dpdash-plot').layout.paper_bgcolor"
    dark = page.evaluate(background)
    page.emulate_media(color_scheme="light")
    wait_for_script(page, f"{background} !== {json.dumps(dark)}")
    assert page.evaluate(ALL_MARKED)


def test_language_can_be_switched(open_page: OpenPage) -> None:
    page = open_page(SHORT, locale="pt-BR")
    page.get_by_role("button", name="Iniciar").wait_for()
    assert "ruído" in page.locator("h1").inner_text()
    open_list(page, "language")
    page.get_by_role("option", name="English").click()
    page.get_by_role("button", name="Start").wait_for()
    titles = "document.querySelector('.dpdash-plot').layout.title.text"
    wait_for_script(page, f"{titles} .startsWith('Loss per epoch')")


def test_hostile_values_in_a_link_are_said_on_the_page(open_page: OpenPage) -> None:
    page = open_page("?samples=1e12&learning_rate=nan&epochs=30&run=../../etc/passwd")
    expect(page.get_by_text("Samples must be a whole number. Received: 1e12.")).to_be_visible()
    expect(page.get_by_text("There is no run ../../etc/passwd here")).to_be_visible()
    wait_for_address(page, r"[?&]epochs=30(&|$)")


@pytest.mark.long
def test_the_charts_are_downloaded_as_they_are_shown(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("?samples=100&epochs=3000&engine=single&replicas=1")
    start(page, "Max")
    wait_for_status(page, "finished")
    page.get_by_role("radio", name="Table").click()
    slope = page.locator("[data-testid=stMetric]", has_text="Slope").locator("[data-testid=stMetricValue]")
    at_the_end = slope.inner_text()
    look_back = page.locator(".st-key-look_back_slider input[type=range]")
    look_back.focus()
    look_back.press("Home")
    page.locator(".st-key-look_back_slider", has_text="epoch 1").wait_for()
    looked_back_to = slope.inner_text()
    assert looked_back_to != at_the_end
    with page.expect_download() as download:
        page.get_by_role("button", name="Charts of the epoch shown").click()
    download.value.save_as(tmp_path / "charts.html")
    handout = page.context.new_page()
    handout.goto((tmp_path / "charts.html").as_uri())
    handout.locator(".main-svg").first.wait_for()
    assert handout.locator(".plotly-graph-div").count() == 2
    expect(handout.get_by_text(f"Slope {looked_back_to}, intercept")).to_be_visible()


def test_scripts_are_cached_for_good(server: Server, open_page: OpenPage) -> None:
    page = open_page()
    loaded = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    scripts = [name for name in loaded if "/dpdash/static/" in name]
    names = {script.rpartition("/")[2] for script in scripts}
    assert names == {"page.js", "live_chart.js", "plotly-cartesian.min.js", "icons.woff2"}
    for script in scripts:
        with urlopen(script) as response:
            assert "immutable" in response.headers["Cache-Control"]


def test_a_chart_that_cannot_be_loaded_says_so(browser: Browser, server: Server) -> None:
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.route("**/plotly-cartesian.min.js", lambda route: route.abort())
    page.goto(server.url)
    page.locator(".dpdash-plot", has_text="The chart could not be loaded.").first.wait_for()
    context.close()
