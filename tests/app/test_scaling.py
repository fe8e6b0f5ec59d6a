"""The Scaling page without a browser: what it shows and who may start and cancel."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.scaling.study import StudyStatus
from dpdash.core.scaling.waterfall import Device, Part
from dpdash.core.settings import ServerSettings
from dpdash.core.translations import LANGUAGES, PSEUDO, language
from dpdash.findings.scaling.parts import waterfalls
from dpdash.findings.scaling.shown import shown_parts
from dpdash.runs.service import Pace, RunService
from dpdash.scaling.service import ScalingService
from dpdash.store.store import RunStore
from dpdash.web.process import scaling_service
from tests.app.conftest import OpenPage, put
from tests.app.driving import again, click, control, go
from tests.app.visible import visible_texts
from tests.fakes import FakeMeasuring
from tests.unit.findings.scaling.made_up import measured_study, usual_milliseconds
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
    boxes = (*page.info, *page.warning, *page.error, *page.markdown, *page.caption)
    return "\n".join(str(shown.value).replace("\\", "") for shown in boxes)


def test_a_study_from_start_to_verdict(open_page: OpenPage, studies: ScalingService) -> None:
    page = go(open_page(), SCALING)
    assert names(page)[:2] == ["start", "map"]
    click(page, "scaling_start")
    assert studies.wait(LONG)
    again(page)
    assert "Near-linear up to" in said(page)
    assert "Split ideally it would take" in said(page)
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
    put(page, "scaling_repeats", 2)
    click(page, "scaling_map")
    assert studies.wait(LONG)
    again(page)
    assert "Parallelism begins to pay at width 8" in said(page)
    assert any(
        text.startswith("Heat map of the speed-up") or "Speed-up: DataParallel" in text
        for text in visible_texts(page)
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_causes_with_milliseconds_that_add_up_and_a_button_that_measures_what_changes_them(
    open_page: OpenPage, studies: ScalingService, service: RunService, code: str
) -> None:
    spoken, study = language(code), replace(measured_study(), status=StudyStatus.FINISHED)
    service.runs.studies.put(study)
    page = go(open_page(language=code), SCALING)
    shown = shown_parts(waterfalls(study)[0])
    text = said(page)
    for part, milliseconds in shown.parts.items():
        assert (
            spoken.decimal(milliseconds) + (" ms" if part is Part.IDEAL else f" ms {spoken.name(part)}:") in text
        )
    assert f"{spoken.decimal(shown.step)} ms" in text
    assert spoken.name(Device.ONE_CORE) in text and spoken.name(Device.WHOLE_CPU) in text
    click(page, "scaling_change_engine")
    assert studies.wait(LONG)
    assert studies.studies()[0].plan.engines == (EngineName.DDP,)


def test_a_noisy_study_names_no_cause_and_says_what_others_took(
    open_page: OpenPage, studies: ScalingService, service: RunService
) -> None:
    noisy = measured_study(
        lambda point, way, turn: usual_milliseconds(point, way, turn) * (1 + turn % 3), other_programs=0.38
    )
    service.runs.studies.put(replace(noisy, status=StudyStatus.FINISHED))
    text = said(go(open_page(), SCALING))
    assert "Too noisy to tell" in text
    assert "Other programs took 38 % of the cores; measure again on a quiet machine." in text
    assert "Split ideally" not in text and "law" not in text


def test_a_part_of_a_study_is_chosen(open_page: OpenPage, studies: ScalingService, service: RunService) -> None:
    both = measured_study(engines=(EngineName.CPU_REPLICAS, EngineName.DDP), hidden_widths=(8, 64))
    service.runs.studies.put(replace(both, status=StudyStatus.FINISHED))
    page = go(open_page(), SCALING)
    assert "ms copies:" in said(page)
    put(page, "scaling_step_of", EngineName.DDP)
    again(page)
    assert "ms exchange not hidden:" in said(page) and "ms copies:" not in said(page)


def test_runs_that_train_are_told_and_the_teacher_pauses_them(
    open_page: OpenPage, studies: ScalingService, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpdash.ui.scaling.notices.has_room", lambda: True)
    monkeypatch.setattr("dpdash.ui.scaling.notices.is_teacher", lambda browser: browser == "ann")
    service.start(RunConfig(samples=50, epochs=1_000_000), "bob", Pace.rate(2.0))
    teacher, other = go(open_page(owner="ann"), SCALING), go(open_page(owner="bob"), SCALING)
    for page in (teacher, other):
        assert "1 run trains; what is measured now will be wrong." in said(page)
    assert "pause" in names(teacher) and "pause" not in names(other)


def test_what_the_time_did_not_suffice_for_is_said(
    open_page: OpenPage, studies: ScalingService, service: RunService
) -> None:
    cut = replace(measured_study(replicas=4, counts=(2, 4)), status=StudyStatus.FINISHED, left_out=(4,), rounds=3)
    service.runs.studies.put(cut)
    text = said(go(open_page(), SCALING))
    assert "Left out, because the time does not suffice: 4 replicas." in text
    assert "Repeats: 3 of 7, because the time does not suffice for more." in text


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
