"""How fast replicas are: Train, Parallelism and Scaling give one answer to one question."""

import re
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.config import RunConfig
from dpdash.core.events import RunStatus
from dpdash.core.scaling.plan import StudyPlan
from dpdash.core.translations import ENGLISH, language
from dpdash.findings.beside import Ratios, of_turns, of_waterfall
from dpdash.findings.scaling.parts import waterfalls
from dpdash.runs.service import RunService
from dpdash.scaling.service import ScalingService
from dpdash.web.process import scaling_service
from tests.app.conftest import OpenPage
from tests.app.driving import again, click, go
from tests.app.test_parallelism import PARALLELISM, settled
from tests.fakes import FakeMeasuring, eventually

SCALING = "../pages/scaling.py"
LONG = 60.0
TWO = {"samples": "200", "epochs": "40", "engine": "cpu_replicas", "replicas": "2"}
RATIO = re.compile(r"([\d.]+) ± ([\d.]+) times as fast as (one core|the whole CPU)")


@pytest.fixture
def studies(service: RunService) -> Iterator[ScalingService]:
    """The scaling service that the pages share, with what measures nothing."""
    fake = FakeMeasuring(lambda config: 100.0 * config.replicas)
    made = scaling_service()
    made._begin = lambda: fake
    yield made
    fake.gate.set()
    made.close(timeout=LONG)


def said(page: AppTest) -> str:
    return "\n".join(str(shown.value).replace("\\", "") for shown in (*page.markdown, *page.caption))


def trained(service: RunService, page: AppTest) -> AppTest:
    """The Train page with a run that is over."""
    click(page, "transport_start")
    (run,) = service.runs.latest(1)
    eventually(lambda: service.runs.snapshot(run.run_id).status is RunStatus.FINISHED)
    return again(page)


def written(ratios: Ratios) -> list[tuple[str, str]]:
    words = language(ENGLISH)
    return [(words.number(one.speed_up.median), words.name(one.device)) for one in ratios.found]


def test_the_run_is_believed_until_a_study_has_measured_its_step(
    open_page: OpenPage, service: RunService, studies: ScalingService
) -> None:
    page = trained(service, open_page(**TWO))
    (run,) = service.runs.latest(1)
    started = service.runs.snapshot(run.run_id).history.started
    assert started is not None and started.turns is not None
    measured = of_turns(started.turns, 2)
    (chip,) = (one for one in page.metric if one.label == "Samples per second")
    is_noisy = chip.delta == "too noisy to tell"
    assert is_noisy == measured.is_noisy
    assert is_noisy or chip.delta.startswith(f"{language(ENGLISH).number(measured.found[0].speed_up.median, 2)}×")

    page = settled(go(page, PARALLELISM))
    assert "Measured by the run before its first epoch" in said(page)
    assert [(ratio, device) for ratio, _error, device in RATIO.findall(said(page))] == written(measured)
    assert ("too noisy to tell which is faster" in said(page)) == is_noisy

    click(page, "measure_step")
    assert studies.wait(LONG)
    again(page)
    (head,) = studies.studies()
    kept = studies.snapshot(head.value_id)
    assert kept is not None
    (waterfall,) = waterfalls(kept.study)
    assert "Measured in a study of this step" in said(page)
    assert [(ratio, device) for ratio, _error, device in RATIO.findall(said(page))] == written(
        of_waterfall(waterfall)
    )
    assert any("dpdash-parts" in html.body for html in page.html)

    page = go(page, SCALING)
    assert f"{written(of_waterfall(waterfall))[0][0]} times as fast as one core" in said(page)


@pytest.mark.long
def test_a_study_that_really_measured_is_read_alike_on_both_pages(open_page: OpenPage) -> None:
    config = RunConfig.parse(TWO)
    made = scaling_service()
    plan = StudyPlan.parse(dict(StudyPlan.of_step(config)) | {"repeats": 5, "seconds": 0.05})
    study_id = made.start(plan, "teacher")
    assert made.wait(LONG)
    kept = made.snapshot(study_id)
    assert kept is not None
    (waterfall,) = waterfalls(kept.study)
    (ratio, device), *_others = written(of_waterfall(waterfall))

    page = settled(go(open_page(**TWO), PARALLELISM))
    assert (ratio, device) in [(found, name) for found, _error, name in RATIO.findall(said(page))]
    page = go(page, SCALING)
    assert waterfall.is_noisy or f"{ratio} times as fast as {device}" in said(page)


def test_a_step_of_one_device_has_nothing_to_compare(open_page: OpenPage, service: RunService) -> None:
    page = settled(go(open_page(samples="200", engine="single"), PARALLELISM))
    assert not [button for button in page.button if button.key == "measure_step"]


@pytest.mark.parametrize(
    ("changes", "is_found"),
    [
        ({}, True),
        ({"epochs": 7, "learning_rate": 0.5, "noise": 0.1}, True),
        ({"samples": 300}, False),
        ({"global_batch_size": 100}, False),
        ({"hidden_depth": 1}, False),
        ({"optimizer": "sgd"}, False),
        ({"replicas": 3}, False),
    ],
)
def test_a_study_answers_for_runs_that_have_its_step(changes: dict[str, object], is_found: bool) -> None:
    config = RunConfig.parse(TWO)
    plan = StudyPlan.of_step(config)
    assert plan.replica_counts == (2,)
    assert plan.measures(RunConfig.parse(dict(config) | changes)) is is_found
