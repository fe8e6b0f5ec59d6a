"""One study at a time, for its owner, within limits, kept in the store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import (
    ConfigError,
    EngineUnavailableError,
    FrozenError,
    NotOwnerError,
    StoreError,
    TooManyRunsError,
)
from dpdash.core.limits import MOST_VALUES, Limits
from dpdash.core.scaling.plan import ScalingMode
from dpdash.core.scaling.study import StudyStatus
from dpdash.scaling.service import ScalingService
from dpdash.store.absent import AbsentStore
from dpdash.store.store import RunStore
from tests.fakes import FakeMeasuring, eventually
from tests.unit.sweeps.conftest import plan_of, study_of

LIMITS = Limits(runs_per_browser=2, samples=1000, epochs=50)
LONG = 60.0
NUM_WARM_UPS = 2


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    store = RunStore(f"sqlite:///{tmp_path / 'runs.db'}")
    yield store
    store.close()


@pytest.fixture
def fake() -> FakeMeasuring:
    return FakeMeasuring(lambda config: 100.0)


@pytest.fixture
def service(store: RunStore, fake: FakeMeasuring) -> Iterator[ScalingService]:
    service = ScalingService(LIMITS, store, lambda: False, lambda: fake)
    yield service
    fake.gate.set()
    service.close(timeout=LONG)


def test_a_study_is_measured_and_found_again(service: ScalingService, store: RunStore) -> None:
    study_id = service.start(plan_of(), "ann")
    assert service.wait(LONG)
    shown = service.snapshot(study_id)
    assert shown is not None and shown.study.status is StudyStatus.FINISHED
    later = ScalingService(LIMITS, store, lambda: False)
    assert [head.value_id for head in later.studies()] == [study_id]
    assert later.studies() == service.studies()
    found = later.snapshot(study_id)
    assert found is not None and found.study == shown.study
    assert later.snapshot("no such study") is None
    assert service.problem is None


def test_there_is_one_study_at_a_time(service: ScalingService, fake: FakeMeasuring) -> None:
    fake.gate.clear()
    study_id = service.start(plan_of(), "ann")
    with pytest.raises(TooManyRunsError, match="Wait for its end"):
        service.start(plan_of(), "bob")
    measuring = service.measuring()
    assert measuring is not None and measuring.study.study_id == study_id
    assert [head.value_id for head in service.studies()] == [study_id]


def test_only_who_started_it_cancels_it(service: ScalingService, fake: FakeMeasuring) -> None:
    fake.gate.clear()
    service.start(plan_of(), "ann")
    with pytest.raises(NotOwnerError):
        service.cancel("bob")
    service.cancel("ann")
    assert service.wait(LONG)
    service.cancel("ann")
    assert service.measuring() is None
    fake.gate.set()
    study_id = service.start(plan_of(), "bob")
    assert service.wait(LONG)
    assert [head.value_id for head in service.studies()] == [study_id]


def test_a_study_that_is_cancelled_before_anything_can_be_compared_leaves_nothing_behind(
    service: ScalingService, store: RunStore, fake: FakeMeasuring
) -> None:
    fake.gate.clear()
    study_id = service.start(plan_of(), "ann")
    eventually(lambda: fake.turns)
    assert [head.value_id for head in service.studies()] == [study_id]
    service.cancel("ann")
    assert service.wait(LONG)
    assert (service.studies(), service.snapshot(study_id)) == ((), None)
    assert store.studies.heads(2) == ()


def test_a_teacher_stops_anybodys(service: ScalingService, fake: FakeMeasuring) -> None:
    service.stop_all()
    fake.gate.clear()
    service.start(plan_of(), "ann")
    service.stop_all()
    assert service.wait(LONG)
    assert service.measuring() is None


def test_whoever_waits_for_the_end_of_a_study_is_called(store: RunStore, fake: FakeMeasuring) -> None:
    ends: list[bool] = []

    def over() -> None:
        ends.append(measured.measuring() is None)

    measured = ScalingService(LIMITS, store, lambda: False, lambda: fake, over)
    for number in (1, 2):
        measured.start(plan_of(), "ann")
        eventually(lambda number=number: ends == number * [True])  # type: ignore[misc]


def test_a_frozen_server_measures_nothing(store: RunStore, fake: FakeMeasuring) -> None:
    service = ScalingService(LIMITS, store, lambda: True, lambda: fake)
    with pytest.raises(FrozenError):
        service.start(plan_of(), "ann")
    assert service.measuring() is None and service.studies() == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"samples": 1001}, "samples must be at most 1000 on this server"),
        ({"mode": ScalingMode.WEAK, "samples": 400}, "samples must be at most 1000 on this server"),
        ({"samples": 1000, "hidden_widths": (4096,), "hidden_depth": 8, "replicas": 8}, None),
    ],
)
def test_a_plan_stays_within_the_limits(
    service: ScalingService, changes: dict[str, object], sentence: str | None
) -> None:
    if sentence is None:
        sentence = "wide"
        changes = changes | {"samples": MOST_VALUES // (4096 * 8) + 1}
        service = ScalingService(replace(LIMITS, samples=100_000), AbsentStore(), lambda: False)
    with pytest.raises(ConfigError, match=sentence):
        service.start(plan_of(**changes), "ann")
    assert service.measuring() is None


def test_an_engine_that_is_not_there_is_refused(service: ScalingService) -> None:
    with pytest.raises(EngineUnavailableError):
        service.start(plan_of(engines=("data_parallel",), replicas=64), "ann")


def test_without_a_store_a_study_is_shown_all_the_same(fake: FakeMeasuring) -> None:
    service = ScalingService(LIMITS, AbsentStore(), lambda: False, lambda: fake)
    study_id = service.start(plan_of(), "ann")
    assert service.wait(LONG)
    assert [head.value_id for head in service.studies()] == [study_id]


def test_a_database_that_fails_is_told(fake: FakeMeasuring, store: RunStore, tmp_path: Path) -> None:
    service = ScalingService(LIMITS, store, lambda: False, lambda: fake)
    (tmp_path / "runs.db").rename(tmp_path / "away.db")
    study_id = service.start(plan_of(), "ann")
    assert service.wait(LONG)
    assert isinstance(service.problem, StoreError)
    shown = service.snapshot(study_id)
    assert shown is not None and shown.study.status is StudyStatus.FINISHED
    (tmp_path / "away.db").rename(tmp_path / "runs.db")


def test_the_end_of_the_server_ends_the_study(store: RunStore) -> None:
    num_turns = 0

    def stands_in_the_second_round(_config: RunConfig) -> float:
        nonlocal num_turns
        num_turns += 1
        if num_turns > NUM_WARM_UPS + 10:
            standing.gate.clear()
        return 100.0

    standing = FakeMeasuring(stands_in_the_second_round)
    service = ScalingService(LIMITS, store, lambda: False, lambda: standing)
    study_id = service.start(plan_of(), "ann")
    eventually(lambda: not standing.gate.is_set())
    service.close(timeout=LONG)
    kept = store.studies.get(study_id)
    assert kept is not None
    assert (kept.status, len(kept.measurements)) == (StudyStatus.CANCELLED, 10)


def test_a_study_is_shown_as_measured_elsewhere_until_its_server_dies(store: RunStore, tmp_path: Path) -> None:
    other = RunStore(f"sqlite:///{tmp_path / 'runs.db'}")
    other.studies.put(study_of(lambda point: 1.0))
    service = ScalingService(LIMITS, store, lambda: False)
    shown = service.snapshot("study")
    assert shown is not None
    assert (shown.study.status, shown.is_elsewhere, shown.was_left) == (StudyStatus.MEASURING, True, False)
    other.close()
    shown = service.snapshot("study")
    assert shown is not None
    assert (shown.study.status, shown.is_elsewhere, shown.was_left) == (StudyStatus.MEASURING, False, True)
    assert service.measuring() is None
