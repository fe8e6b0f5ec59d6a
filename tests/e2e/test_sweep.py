"""The Sweep page in a real browser: live, opened in Train by a click, stopped, and over a killed server."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page

from dpdash.core.sweep import SweepStatus
from dpdash.training.processes.pool import MODULE
from tests.e2e.browser import (
    NOT_RUNNING,
    address,
    assert_for_everybody,
    wait_for_address,
    wait_for_script,
    wait_until_drawn,
)
from tests.e2e.conftest import OpenPage
from tests.e2e.server import LEAN, Server, newest, running_server, start_server, stop_server
from tests.fakes import eventually

SWEEP_MS = 90_000
SWEEP_SECONDS = 90.0
CELLS = """() => { for (const plot of document.querySelectorAll('.dpdash-plot')) {
const trace = (plot._fullData ?? []).find((trace) => trace.uid === 'map');
if (trace) return [...trace.z].flatMap((row) => [...row]).filter((value) => Number.isFinite(value)).length;
} return 0; }"""
CELL_PLACE = """() => { for (const plot of document.querySelectorAll('.dpdash-plot')) {
const trace = (plot._fullData ?? []).find((trace) => trace.uid === 'map');
const {xaxis, yaxis} = plot._fullLayout ?? {};
if (!trace) continue;
plot.scrollIntoView({block: 'center', behavior: 'instant'});
const {left, top} = plot.querySelector('.nsewdrag').getBoundingClientRect();
for (const [row, values] of [...trace.z].entries())
  for (const [column, value] of [...values].entries())
    if (Number.isFinite(value))
      return {x: left + xaxis.d2p(column), y: top + yaxis.d2p(row), run: trace.customdata[row][column]};
} return null; }"""


def key(name: str) -> str:
    return f".st-key-sweep_{name}"


def opened(open_page: OpenPage) -> Page:
    """The page, as a person comes to it."""
    page = open_page()
    return turned(page)


def turned(page: Page) -> Page:
    page.get_by_role("link", name="Sweep", exact=True).click()
    page.locator(key("what")).wait_for()
    page.wait_for_selector(NOT_RUNNING)
    return page


def start(page: Page, preset: str) -> None:
    page.get_by_role("radio", name=preset).click()
    page.wait_for_selector(NOT_RUNNING)
    page.locator(f"{key('start')} button:visible").click()
    page.locator(f"{key('stop')} button:visible").wait_for()


def wait_for_trials(database: Path, least: int) -> None:
    eventually(lambda: newest(database, attrgetter("sweeps")).num_over >= least, SWEEP_SECONDS)


@contextmanager
def held(server: Server) -> Iterator[None]:
    """Let nothing train meanwhile: a sweep is over sooner than a page is looked at."""
    trainers = [each for each in psutil.Process(server.process.pid).children() if MODULE in each.cmdline()]
    assert trainers
    for trainer in trainers:
        trainer.suspend()
    try:
        yield
    finally:
        for trainer in trainers:
            trainer.resume()


def test_a_map_fills_a_click_opens_a_trial_and_stop_keeps_what_was_found(
    open_page: OpenPage, server: Server
) -> None:
    page = opened(open_page)
    page.get_by_text("No sweep yet.").wait_for()
    start(page, "Noise × samples")
    wait_for_trials(server.database, 3)
    with held(server):
        page.get_by_text(re.compile(r"\d+ of 80 trials")).first.wait_for()
        wait_for_script(page, f"({CELLS})() >= 3", timeout_ms=SWEEP_MS)
        page.locator(f"{key('stop')} button:visible").click()
        page.wait_for_selector(NOT_RUNNING)
    page.get_by_text("Stopped. What was found is kept.").wait_for()
    page.locator(f"{key('start')} button:visible").wait_for()
    sweep = newest(server.database, attrgetter("sweeps"))
    assert sweep.status is SweepStatus.STOPPED
    assert 3 <= sweep.num_over < sweep.plan.num_trials

    place = wait_for_script(page, f"({CELL_PLACE})()")
    page.mouse.click(place["x"], place["y"])
    page.locator(".dpdash-status", has_text="finished").wait_for()
    wait_for_address(page, rf"[?&]run={place['run']}(&|$)")
    clicked = sweep.of_run(place["run"])
    assert clicked is not None
    samples = clicked.values[sweep.plan.settings.index("samples")]
    wait_for_address(page, rf"[?&]samples={samples}(&|$)")

    turned(page)
    page.locator(f"{key('open')} button:visible").click()
    page.locator(".dpdash-status").wait_for()
    wait_for_address(page, rf"[?&]run={sweep.trials[0].run_id}(&|$)")


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_sweep_goes_on_when_its_server_was_killed(browser: Browser, tmp_path: Path) -> None:
    """A person closes the laptop, the server dies meanwhile, and the next day all is there."""
    first = start_server(tmp_path, LEAN)
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, locale="en-US")
    try:
        page = context.new_page()
        page.goto(first.url)
        wait_until_drawn(page)
        start(turned(page), "Noise × samples")
        wait_for_trials(tmp_path / "runs.db", 3)
        first.process.kill()
        first.process.wait()
        page.close()
    finally:
        stop_server(first)
    left = newest(tmp_path / "runs.db", attrgetter("sweeps"))
    assert left.status is SweepStatus.SEARCHING
    with running_server(tmp_path, LEAN) as second:
        wait_for_trials(tmp_path / "runs.db", left.num_over + 3)
        page = context.new_page()
        page.goto(second.url)
        wait_until_drawn(page)
        turned(page)
        wait_for_script(page, f"({CELLS})() >= 3", timeout_ms=SWEEP_MS)
        eventually(lambda: newest(tmp_path / "runs.db", attrgetter("sweeps")).status.is_over, SWEEP_SECONDS)
        found = newest(tmp_path / "runs.db", attrgetter("sweeps"))
        assert found.status is SweepStatus.FINISHED
        done = [trial for trial in left.trials if trial.status.is_over]
        assert [found.trials[trial.number] for trial in done] == done, "what was found is not trained again"
        assert len({trial.values for trial in found.trials}) == len(found.trials)
    context.close()


@pytest.mark.long
def test_nothing_is_sent_while_nothing_is_searched(open_page: OpenPage) -> None:
    page = opened(open_page)
    page.locator(f"{key('start')} button:visible").wait_for()
    frames: list[str] = []
    other = page.context.new_page()
    other.on("websocket", lambda socket: socket.on("framereceived", lambda _data: frames.append("frame")))
    other.goto(address(page))
    other.locator(key("what")).wait_for()
    other.wait_for_selector(NOT_RUNNING)
    other.wait_for_timeout(1_000)
    so_far = len(frames)
    other.wait_for_timeout(2_000)
    assert len(frames) == so_far


@pytest.mark.long
def test_the_page_is_for_everybody(open_page: OpenPage) -> None:
    page = opened(open_page)
    page.locator(f"{key('start')} button:visible").wait_for()
    assert_for_everybody(page)
