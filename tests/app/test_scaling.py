"""The Scaling page without a browser: what it shows and who may start and cancel."""

import re
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.config import RunConfig
from dpdash.core.scaling.study import StudyStatus
from dpdash.core.settings import ServerSettings
from dpdash.core.translations import PSEUDO
from dpdash.runs.service import Pace, RunService
from dpdash.scaling.service import ScalingService
from dpdash.store.store import RunStore
from dpdash.web.process import scaling_service
from tests.app.conftest import OpenPage, put
from tests.app.driving import again, click, control, go
from tests.app.visible import visible_texts
from tests.fakes import FakeMeasuring
from tests.unit.sweeps.conftest import study_of

SCALING = "../pages/scaling.py"
LONG = 60.0
BRACKETED = re.compile(r"⟦[^⟦⟧]*⟧")
TERMS = re.compile(
    r"\(Ctrl\+\S+\)|:material/\w+:|\*\*|"
    r"scatter|replicate|parallel apply|gather|loss|backward|reduce|optimizer|dtick|extra"
)
WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]{3,}")


@pytest.fixture
def fake() -> FakeMeasuring:
    return FakeMeasuring(lambda config: 100.0 * config.replicas)


@pytest.fixture
def studies(service: RunService, fake: FakeMeasuring) -> Iterator[ScalingService]:
    """The scaling service that the pages share, with an engine that trains nothing."""
    made = scaling_service()
    made._begin = lambda: fake
    yield made
    fake.gate.set()
    made.close(timeout=LONG)


def names(page: AppTest) -> list[str]:
    return [
        str(button.key).removeprefix("scaling_")
        for button in page.button
        if str(button.key).startswith("scaling_")
    ]


def said(page: AppTest) -> str:
    boxes = (*page.info, *page.warning, *page.error, *page.markdown)
    return "\n".join(str(shown.value).replace("\\", "") for shown in boxes)


def test_a_study_from_start_to_verdict(open_page: OpenPage, studies: ScalingService) -> None:
    page = go(open_page(), SCALING)
    assert names(page)[:2] == ["start", "map"]
    click(page, "scaling_start")
    assert studies.wait(LONG)
    again(page)
    assert "Near-linear up to" in said(page)
    shown = studies.snapshot(studies.studies()[0].value_id)
    assert shown is not None
    assert (shown.study.status, shown.study.plan.hidden_widths) == (StudyStatus.FINISHED, (64,))
    assert control(page.selectbox, "scaling_study").value == shown.study.study_id
    assert names(page)[:2] == ["start", "map"]


def test_cancel_is_for_who_started_it(open_page: OpenPage, studies: ScalingService, fake: FakeMeasuring) -> None:
    fake.gate.clear()
    mine, others = go(open_page(owner="ann"), SCALING), go(open_page(owner="bob"), SCALING)
    click(mine, "scaling_start")
    again(others)
    assert "Another browser measures now." in said(others)
    assert others.button(key="scaling_cancel").disabled
    assert not mine.button(key="scaling_cancel").disabled
    click(mine, "scaling_cancel")
    assert studies.wait(LONG)
    again(mine)
    assert names(mine)[:2] == ["start", "map"]
    assert studies.studies() == (), "nothing of it could be compared"


def test_two_at_the_same_time_are_refused(
    open_page: OpenPage, studies: ScalingService, fake: FakeMeasuring
) -> None:
    first, second = go(open_page(owner="ann"), SCALING), go(open_page(owner="bob"), SCALING)
    fake.gate.clear()
    click(first, "scaling_start")
    click(second, "scaling_start")
    assert "two would disturb each other" in said(second)
    assert len(studies.studies()) == 1


def test_a_frozen_server_starts_none(open_page: OpenPage, studies: ScalingService, service: RunService) -> None:
    page = go(open_page(), SCALING)
    service.room.freeze(True)
    click(page, "scaling_start")
    assert "Nothing new can be measured either." in said(page) and not page.error
    assert page.button(key="scaling_start").disabled
    assert studies.studies() == ()


def test_a_plan_without_an_engine_is_a_sentence(open_page: OpenPage, studies: ScalingService) -> None:
    page = go(open_page(), SCALING)
    put(page, "scaling_engines", [])
    click(page, "scaling_start")
    assert "Choose one or more engines of" in said(page)


def test_it_begins_with_the_settings_of_the_run_that_is_shown(
    open_page: OpenPage, studies: ScalingService, service: RunService
) -> None:
    shown = service.start(
        RunConfig(samples=333, epochs=1, hidden_width=17, hidden_depth=2), "ann", Pace.full_speed()
    )
    assert service.runs.wait(shown, LONG)
    page = go(open_page(run=shown, samples="50"), SCALING)
    assert "Measured: 2 hidden layers of 17 units, on 333 samples" in said(page)
    click(page, "scaling_start")
    assert studies.wait(LONG)
    plan = studies.studies()[0].plan
    assert (plan.samples, plan.hidden_widths, plan.hidden_depth) == (333, (17,), 2)
    put(page, "scaling_hidden_depth", 0)
    again(page)
    assert "Measured: a straight line" in said(page)
    assert page.button(key="scaling_map").disabled, "a line has no width"


def test_a_map_measures_several_widths(open_page: OpenPage, studies: ScalingService) -> None:
    page = go(open_page(hidden_depth="1"), SCALING)
    put(page, "scaling_repeats", 1)
    click(page, "scaling_map")
    assert studies.wait(LONG)
    again(page)
    assert "Parallelism begins to pay at width 8" in said(page)
    assert any(
        text.startswith("Heat map of the speed-up") or "Speed-up: DataParallel" in text
        for text in visible_texts(page)
    )


def test_a_study_that_broke_says_so(open_page: OpenPage, studies: ScalingService, fake: FakeMeasuring) -> None:
    fake.failure = "The memory of this machine is full."
    page = go(open_page(), SCALING)
    click(page, "scaling_start")
    assert studies.wait(LONG)
    again(page)
    assert "The study ended early: The memory of this machine is full." in said(page)
    fake.failure = ""
    click(page, "scaling_start")
    assert studies.wait(LONG)
    again(page)
    assert "Near-linear" in said(page)


def test_an_earlier_study_is_opened(open_page: OpenPage, studies: ScalingService, service: RunService) -> None:
    other = RunStore(ServerSettings().database_url)
    other.studies.put(study_of(lambda point: 0.25))
    page = go(open_page(), SCALING)
    click(page, "scaling_start")
    assert studies.wait(LONG)
    again(page)
    assert "Near-linear" in said(page)
    control(page.selectbox, "scaling_study").set_value("study").run()
    assert not page.exception
    assert "4.00 times slower" in said(page)
    assert "Another process measures this study." in said(page)
    other.close()
    assert "The server ended while this study was measured." in said(again(page))


def test_the_settings_of_the_train_page_stay_in_the_address(open_page: OpenPage, studies: ScalingService) -> None:
    page = go(open_page(samples="700"), SCALING)
    assert page.query_params["samples"] in ("700", ["700"])


def test_every_text_is_translated(open_page: OpenPage, studies: ScalingService) -> None:
    page = go(open_page(language=PSEUDO, hidden_depth="1"), SCALING)
    click(page, "scaling_map")
    assert studies.wait(LONG)
    again(page)
    for text in visible_texts(page):
        left = TERMS.sub("", BRACKETED.sub("", BRACKETED.sub("", text)))
        left = re.sub(r"%\{[^}]*\}|<[^>]*>|DataParallel|DDP|ms\b", "", left)
        assert not WORD.search(left), text
