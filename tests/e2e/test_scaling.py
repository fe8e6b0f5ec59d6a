"""The Scaling page in a real browser, with real engines in a real process of their own."""

import re
import time
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from dpdash.core.scaling.study import StudyStatus
from dpdash.store.store import RunStore
from tests.e2e.browser import NOT_RUNNING, address, assert_for_everybody, wait_for_script, wait_until_drawn
from tests.e2e.conftest import OpenPage
from tests.e2e.server import Server, newest
from tests.unit.findings.scaling.made_up import measured_study

STUDY_MS = 90_000
POINTS = """() => { const plot = document.querySelector('.dpdash-plot');
const trace = (plot?._fullData ?? []).find((trace) => trace.uid === 'curve-0');
return trace?.x?.length ?? 0; }"""


def opened(open_page: OpenPage) -> Page:
    """The page, as a person comes to it."""
    page = open_page()
    page.get_by_role("link", name="Scaling").click()
    page.locator(f"{key('engines')}").wait_for()
    wait_until_drawn(page)
    return page


def key(name: str) -> str:
    return f".st-key-scaling_{name}"


def slide_to(page: Page, name: str, label: str, *presses: str) -> None:
    """Move a slider by the keyboard until it shows a value."""
    slider = page.locator(f"{key(name)} input[type=range]")
    slider.focus()
    for press in presses:
        page.keyboard.press(press)
    expect(page.locator(key(name))).to_contain_text(label)
    page.wait_for_selector(NOT_RUNNING)


def tiny(page: Page) -> None:
    """Ask for one device and two CPU replicas, with next to no work."""
    page.wait_for_selector(f"{key('start')} button:enabled:visible")
    for engine in page.locator(f"{key('engines')} [role=toolbar] button").all():
        wanted = "emulated" in (engine.text_content() or "")
        pressed = engine.get_attribute("aria-pressed") == "true"
        if wanted != pressed:
            engine.click()
            page.wait_for_selector(NOT_RUNNING)
    slide_to(page, "replicas", "2", "Home")
    slide_to(page, "samples", "100", "Home")


def start(page: Page) -> None:
    page.locator(f"{key('start')} button:visible").click()
    page.locator(f"{key('cancel')} button:visible").wait_for()


def kill_what_measures(server: Server) -> None:
    """Kill every process that measures; one of an earlier study may still be ending."""
    below = psutil.Process(server.process.pid).children(recursive=True)
    measuring = [child for child in below if "dpdash.scaling.process" in child.cmdline()]
    assert measuring, "nothing is measured in a process of its own"
    for child in measuring:
        child.kill()


def test_a_study_shows_progress_a_curve_and_a_verdict(open_page: OpenPage, server: Server) -> None:
    page = opened(open_page)
    assert page.get_by_role("link", name="Train").count()
    page.get_by_text("Nothing measured yet.").wait_for()
    tiny(page)
    slide_to(page, "repeats", "1", "Home")
    start(page)
    page.get_by_text(re.compile(r"\d of \d+ measurements · about \d+ s left")).wait_for()
    page.locator(f"{key('start')} button:visible").wait_for(timeout=STUDY_MS)
    wait_for_script(page, f"({POINTS})() === 2")
    verdict = page.locator(key("verdict"))
    expect(verdict).to_contain_text("2 replicas were measured once")
    expect(page.get_by_role("table").filter(has_text="measured step")).to_be_visible()
    study = newest(server.database, attrgetter("studies"))
    assert study.status is StudyStatus.FINISHED
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the study (CSV)").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 1 + study.num_wanted
    assert "samples=10000" in address(page)
    later = page.context.new_page()
    later.goto(address(page))
    wait_until_drawn(later)
    wait_for_script(later, f"({POINTS})() === 2")


def test_three_causes_are_read_with_milliseconds_that_sum_up(open_page: OpenPage, server: Server) -> None:
    store = RunStore(f"sqlite:///{server.database}")
    store.studies.put(replace(measured_study(), created_at=time.time(), status=StudyStatus.FINISHED))
    store.close()
    page = opened(open_page)
    page.get_by_label("Study, the newest first").wait_for()
    causes = page.locator(".st-key-scaling li")
    expect(causes).to_have_count(4)
    whole = page.get_by_text("Split ideally it would take")
    step, ideal = (Decimal(text) for text in re.findall(r"takes? ([\d.]+) ms", whole.inner_text()))
    read = [Decimal(re.match(r"[\d.]+", text)[0]) for text in causes.all_inner_texts()]  # type: ignore[index]
    assert read == sorted(read, reverse=True) and sum(read, ideal) == step
    expect(page.get_by_role("row").filter(has_text="measured step")).to_contain_text(str(step))
    assert_for_everybody(page)


def measuring(open_page: OpenPage) -> Page:
    """A page whose study has replicas to compare and goes on: a chart may be an earlier study's."""
    page = opened(open_page)
    tiny(page)
    slide_to(page, "repeats", "10", "End")
    start(page)
    page.get_by_text(re.compile(r"([7-9]|[1-4]\d) of \d+ measurements")).wait_for(timeout=STUDY_MS)
    return page


@pytest.mark.long
def test_cancel_keeps_what_is_measured(open_page: OpenPage, server: Server) -> None:
    page = measuring(open_page)
    page.locator(f"{key('cancel')} button:visible").click()
    page.get_by_text("Cancelled. What was measured is kept.").wait_for()
    page.locator(f"{key('start')} button:visible").wait_for()
    study = newest(server.database, attrgetter("studies"))
    assert study.status is StudyStatus.CANCELLED
    assert 2 <= len(study.measurements) < study.num_wanted
    wait_for_script(page, f"({POINTS})() === 2")


@pytest.mark.long
def test_a_process_that_is_killed_is_told_and_another_study_starts(open_page: OpenPage, server: Server) -> None:
    page = measuring(open_page)
    kill_what_measures(server)
    page.get_by_text("The process that measured ended before the study did").wait_for()
    start(page)
    page.locator(f"{key('cancel')} button:visible").click()
    page.locator(f"{key('start')} button:visible").wait_for()


@pytest.mark.long
def test_nothing_is_sent_while_nothing_is_measured(open_page: OpenPage) -> None:
    page = opened(open_page)
    page.locator(f"{key('start')} button:visible").wait_for()
    frames: list[str] = []
    context = page.context
    other = context.new_page()
    other.on("websocket", lambda socket: socket.on("framereceived", lambda _data: frames.append("frame")))
    other.goto(address(page))
    wait_until_drawn(other)
    other.wait_for_timeout(1_000)
    so_far = len(frames)
    other.wait_for_timeout(2_000)
    assert len(frames) == so_far


def test_the_page_is_for_everybody(open_page: OpenPage) -> None:
    page = opened(open_page)
    page.locator(f"{key('start')} button:visible").wait_for()
    assert_for_everybody(page)
