"""The Parallelism page in a real browser: a step is traced, it adds up, and another one stands beside it."""

import json
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import (
    NOT_RUNNING,
    WAIT_MS,
    button,
    open_list,
    wait_for_address,
    wait_for_script,
    wait_for_status,
    wait_until_drawn,
)
from tests.e2e.conftest import OpenPage
from tests.e2e.server import Server
from tests.e2e.test_accessibility import TALL, violations

FOUR = "?samples=9&epochs=60&engine=cpu_replicas&replicas=4"
ENDLESS = "?samples=1000&epochs=1000000&engine=cpu_replicas&replicas=2"
START_MS = 90_000
"""What the processes of DDP are given to start on a busy machine."""
TIMELINES = ".st-key-dpdash-frame-timelines .dpdash-plot"


def turn_to_parallelism(page: Page) -> None:
    # A page may have a link to how parallelism works, too.
    page.get_by_test_id("stTopNav").get_by_role("link", name="Parallelism").click()


def open_step(open_page: OpenPage) -> Page:
    """The page with a step of four replicas, one of them idle."""
    page = open_page(FOUR)
    turn_to_parallelism(page)
    wait_for_timelines(page, [4, 1])
    return page


def numbers(page: Page) -> list[list[float | None]]:
    """The table's cells, row by row; None where there is no number."""
    rows = page.locator(".dpdash-gradients tr").evaluate_all(
        "rows => rows.slice(1).map(row => [...row.querySelectorAll('td')].map(cell => cell.textContent))"
    )
    return [[read(text) for text in row] for row in rows]


def read(text: str) -> float | None:
    written = text.replace("−", "-").replace(",", "")
    return float(written) if re.fullmatch(r"-?[\d.]+", written) else None


def wait_for_timelines(page: Page, num_lanes: list[int], timeout_ms: float = WAIT_MS) -> None:
    """Wait until there is a timeline for each number of replicas."""
    wait_for_script(
        page,
        """([selector, lanes]) => {
        const plots = [...document.querySelectorAll(selector)].filter((plot) => plot._fullData);
        const found = plots.map((plot) => plot._fullLayout.yaxis.range[0] + 0.5);
        return JSON.stringify(found) === JSON.stringify(lanes); }""",
        [TIMELINES, num_lanes],
        timeout_ms,
    )
    page.wait_for_selector(NOT_RUNNING)


def test_a_step_adds_up_and_another_stands_beside_it(open_page: OpenPage) -> None:
    page = open_step(open_page)
    *replicas, (total,), (given,), (exact,) = numbers(page)
    assert [row[0] for row in replicas] == [3, 3, 3, 0]
    contributions = [row[3] for row in replicas]
    assert sum(filter(None, contributions)) == pytest.approx(total, rel=1e-5)
    assert given == pytest.approx(exact, rel=1e-5) == pytest.approx(total, rel=1e-5)
    assert replicas[3][2] is None and replicas[3][3] == 0, "the idle one has no gradient"
    expect(page.get_by_text("Idle, without a shard: replica 3.")).to_be_visible()
    expect(page.get_by_text("1 of 4 replicas had nothing to do")).to_be_visible()

    open_list(page, "compared_engine")
    page.get_by_role("option", name="DataParallel, emulated on CPU").click()
    wait_for_timelines(page, [4, 2])
    page.locator(".st-key-compared_replicas input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    wait_for_timelines(page, [4, 3])
    expect(page.get_by_text(re.compile("^20 warm steps: the median .* times as long"))).to_be_visible()


@pytest.mark.long
def test_a_step_of_ddp_stands_beside_it(open_page: OpenPage) -> None:
    page = open_step(open_page)
    open_list(page, "compared_engine")
    page.get_by_role("option", name="torch DistributedDataParallel").click()
    expect(page.get_by_text("The processes of DDP are starting for it")).to_be_visible()
    wait_for_timelines(page, [4, 2], START_MS)
    phases = page.locator(TIMELINES).nth(1).evaluate("plot => plot._fullData.map(trace => trace.uid)")
    assert {"reduce", "parallel_apply"} <= set(phases)
    assert not {"scatter", "replicate", "gather"} & set(phases)
    assert "entries" in phases, "when each rank enters its first all-reduce"


def test_a_link_leads_straight_to_a_step(browser: Browser, server: Server) -> None:
    context = browser.new_context(locale="pt-BR")
    page = context.new_page()
    page.goto(f"{server.url}/parallelism{FOUR}")
    wait_for_timelines(page, [4, 1])
    assert [row[0] for row in numbers(page)[:4]] == [3, 3, 3, 0]
    wait_for_address(page, "/parallelism.*replicas=4")
    context.close()


def test_a_running_training_is_traced_and_trains_on(open_page: OpenPage) -> None:
    page = open_page(ENDLESS)
    page.get_by_role("radio", name="Slow motion").click()
    button(page, "start").click()
    wait_for_status(page, "running")
    turn_to_parallelism(page)
    # On a busy machine a trace takes too long for a run's start, and is taken when it is asked for.
    page.get_by_text(re.compile(r"The first step of epoch 2 of the run|No step of this run has been")).wait_for()
    before = numbers(page)
    page.get_by_role("button", name="Trace a step").click()
    expect(page.get_by_text("The first step of epoch 2 of the run")).to_have_count(0)
    page.get_by_text(re.compile(r"The first step of epoch \d+ of the run")).wait_for()
    wait_for_timelines(page, [2, 1])
    assert numbers(page) != before
    wait_for_address(page, r"/parallelism\?.*run=")

    page.get_by_role("link", name="Train").click()
    wait_until_drawn(page)
    wait_for_status(page, "running")
    button(page, "stop").click()
    wait_for_status(page, "stopped")


def test_a_switch_of_pages_keeps_the_preview(open_page: OpenPage) -> None:
    page = open_page("?samples=2000&noise=1.0")
    shown = page.locator(".dpdash-plot[aria-label*='of 2,000 samples']")
    expect(shown).to_have_count(1)
    turn_to_parallelism(page)
    wait_for_timelines(page, [2, 1])
    page.get_by_role("link", name="Train").click()
    expect(shown).to_have_count(1)
    wait_for_script(page, "location.search.includes('samples=2000&noise=1.0&')")


def test_the_trace_is_a_file_that_perfetto_opens(open_page: OpenPage) -> None:
    page = open_step(open_page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download trace").click()
    events = json.loads(waiting.value.path().read_bytes())["traceEvents"]
    assert {"scatter on replica 0", "parallel_apply on replica 2"} <= {event.get("name") for event in events}


@pytest.mark.long
def test_the_page_is_for_everybody(open_page: OpenPage) -> None:
    """Axe finds nothing, and nothing scrolls sideways, in each size and theme."""
    page = open_step(open_page)
    for width, theme in ((1440, "light"), (1440, "dark"), (380, "dark"), (380, "light")):
        page.set_viewport_size({"width": width, "height": 2 * TALL["height"]})
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # one of its literals
        assert violations(page) == []
        for selector in ("[data-testid=stMain]", "body"):
            assert page.evaluate(f"document.querySelector('{selector}').scrollWidth") <= width


def test_nothing_is_sent_while_nothing_changes(open_page: OpenPage) -> None:
    page = open_step(open_page)
    runs = "document.querySelector('[data-testid=stApp]').dataset.testScriptState"
    assert page.evaluate(
        f"""async () => {{ for (let at = 0; at < 20; at++) {{
        if ({runs} !== 'notRunning') return false;
        await new Promise((done) => setTimeout(done, 60)); }}
        return true; }}"""
    )
