"""What an exchange costs, in a real browser: a study that is kept, and one of real ranks."""

import re
import time
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import pytest
from playwright.sync_api import Page

from dpdash.core.scaling.study import StudyStatus
from dpdash.store.store import RunStore
from tests.e2e.browser import NOT_RUNNING, address, assert_for_everybody, wait_for_script, wait_until_drawn
from tests.e2e.conftest import OpenPage
from tests.e2e.server import Server, newest
from tests.e2e.test_scaling import opened, slide_to
from tests.unit.findings.scaling.made_up_exchanges import study_of

STUDY_MS = 120_000
GRADIENT = """() => { const plot = document.querySelector('.dpdash-plot');
const trace = (plot?._fullData ?? []).find((trace) => trace.uid === 'gradient-times');
return trace?.x?.length ?? 0; }"""


def of_exchange(open_page: OpenPage) -> Page:
    """The part of the page, as a person comes to it."""
    page = opened(open_page)
    page.get_by_role("radio", name="What an exchange costs").or_(
        page.get_by_role("button", name="What an exchange costs")
    ).first.click()
    page.locator(".st-key-exchange_start button:enabled:visible").wait_for()
    page.wait_for_selector(NOT_RUNNING)
    return page


def test_a_study_that_is_kept_is_found_with_the_gradient_of_the_sidebars_model(
    open_page: OpenPage, server: Server
) -> None:
    store = RunStore(f"sqlite:///{server.database}")
    store.exchanges.put(replace(study_of(hidden_depth=0), created_at=time.time()))
    store.close()
    page = of_exchange(open_page)
    page.get_by_text("has 8 bytes, which is latency alone").wait_for()
    assert "measures=exchange" in address(page)
    wait_for_script(page, f"({GRADIENT})() === 2")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the study (JSON)").click()
    assert '"latency"' in Path(download.value.path()).read_text()
    assert_for_everybody(page)
    later = page.context.new_page()
    later.goto(address(page))
    wait_until_drawn(later)
    later.get_by_text("has 8 bytes, which is latency alone").wait_for()


@pytest.mark.long
def test_real_ranks_tell_what_an_exchange_costs(open_page: OpenPage, server: Server) -> None:
    page = of_exchange(open_page)
    slide_to(page, "samples", "100", "Home")
    slide_to(page, "repeats", "1", "Home")
    page.locator(".st-key-exchange_start button:visible").click()
    page.get_by_text(re.compile(r"\d+ of \d+ measurements · about \d+ s left")).wait_for()
    page.locator(".st-key-exchange_start button:visible").wait_for(timeout=STUDY_MS)
    page.get_by_text(re.compile(r"An all-reduce over \d+ ranks takes [\d.,]+ µs")).wait_for()
    study = newest(server.database, attrgetter("exchanges"))
    assert study.status is StudyStatus.FINISHED
    assert len(study.measurements) == study.num_wanted
