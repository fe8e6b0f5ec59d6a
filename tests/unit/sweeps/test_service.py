"""Sweeps for their owners, within limits, kept in the store, and taken up again by the next process."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import (
    ConfigError,
    DpdashError,
    EngineUnavailableError,
    FrozenError,
    NotOwnerError,
    StoreError,
    TooManyRunsError,
    UnknownRunError,
)
from dpdash.core.settings import ServerSettings
from dpdash.core.sweep import SweepStatus
from dpdash.core.sweep_axis import Axis
from dpdash.runs.service import RunService
from dpdash.store.absent import AbsentStore
from dpdash.store.store import RunStore
from dpdash.sweeps.service import MOST_LIVE, SweepService, least_places
from tests.fakes import LossEngine, eventually
from tests.unit.sweeps.conftest import sweep_of, sweep_plan_of, whole

LONG = 60.0
MakeService = Callable[..., SweepService]


@pytest.fixture
def engine() -> LossEngine:
    engine = LossEngine(lambda config: 1.0, waits=lambda config: True)
    engine.gate.set()
    return engine


@pytest.fixture
def make_service(tmp_path: Path, engine: LossEngine) -> Iterator[MakeService]:
    made: list[tuple[SweepService, RunService]] = []

    def make(*, saved: bool = True) -> SweepService:
        url = f"sqlite:///{tmp_path / 'runs.db'}"
        settings = ServerSettings(database_url=url, full_speed_slots=2, max_samples=1000, max_epochs=50)
        runs = RunService(settings, RunStore(url) if saved else AbsentStore(), find_engine=lambda config: engine)
        made.append((SweepService.open(runs, settings), runs))
        return made[-1][0]

    yield make
    engine.gate.set()
    for sweeps, runs in made:
        sweeps.close(LONG)
        runs.shutdown()


@pytest.fixture
def service(make_service: MakeService) -> SweepService:
    return make_service()


def runs_of(service: SweepService) -> RunService:
    runs = service._runs
    assert isinstance(runs, RunService)
    return runs


def test_a_sweep_is_searched_and_found_again(service: SweepService, make_service: MakeService) -> None:
    sweep_id = service.start(sweep_plan_of(), "ann")
    assert service.wait(sweep_id, LONG)
    shown = service.snapshot(sweep_id)
    assert shown is not None and shown.sweep.status is SweepStatus.FINISHED
    later = make_service()
    assert whole(later) == (shown.sweep,)
    found = later.snapshot(sweep_id)
    assert found is not None and found.sweep == shown.sweep and not found.is_live
    assert later.snapshot("no such sweep") is None
    assert later.continue_interrupted() == 0
    assert service.problem is None


def test_a_browser_has_one_sweep_at_a_time(service: SweepService, engine: LossEngine) -> None:
    engine.gate.clear()
    sweep_id = service.start(sweep_plan_of(), "ann")
    with pytest.raises(TooManyRunsError, match="A sweep of this browser"):
        service.start(sweep_plan_of(), "ann")
    mine = service.searching("ann")
    assert mine is not None and mine.sweep.sweep_id == sweep_id
    assert service.searching("bob") is None
    for number in range(MOST_LIVE - 1):
        service.start(sweep_plan_of(), f"browser {number}")
    with pytest.raises(TooManyRunsError, match="Sweeps of all browsers"):
        service.start(sweep_plan_of(), "bob")
    service.stop_all()
    assert all(service.wait(sweep.sweep_id, LONG) for sweep in whole(service))
    assert {sweep.status for sweep in whole(service)} == {SweepStatus.STOPPED_BY_TEACHER}


def test_only_who_started_it_stops_it(service: SweepService, engine: LossEngine) -> None:
    engine.gate.clear()
    sweep_id = service.start(sweep_plan_of(), "ann")
    with pytest.raises(NotOwnerError):
        service.stop(sweep_id, "bob")
    service.stop(sweep_id, "ann")
    assert service.wait(sweep_id, LONG)
    service.stop(sweep_id, "ann")
    service.stop("no such sweep", "ann")
    shown = service.snapshot(sweep_id)
    assert shown is not None and shown.sweep.status is SweepStatus.STOPPED
    engine.gate.set()
    assert service.wait(service.start(sweep_plan_of(), "ann"), LONG)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"base": RunConfig(samples=1001)}, "samples must be at most 1000 on this server"),
        ({"axes": (Axis("epochs", (10, 51)),)}, "epochs must be at most 50 on this server"),
    ],
)
def test_a_plan_stays_within_the_limits(service: SweepService, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        service.start(sweep_plan_of(**changes), "ann")
    assert service.sweeps() == ()


def test_an_engine_that_is_not_there_is_refused(service: SweepService) -> None:
    base = RunConfig(samples=50, epochs=20, engine="data_parallel", replicas=64)
    with pytest.raises(EngineUnavailableError):
        service.start(sweep_plan_of(base=base), "ann")


def test_a_frozen_server_starts_none(service: SweepService) -> None:
    runs_of(service).room.freeze(True)
    with pytest.raises(FrozenError):
        service.start(sweep_plan_of(), "ann")
    assert service.sweeps() == ()


def test_a_sweep_goes_on_in_the_next_process(
    service: SweepService, make_service: MakeService, engine: LossEngine
) -> None:
    engine.gate.clear()
    sweep_id = service.start(sweep_plan_of(), "ann")
    eventually(lambda: (shown := service.snapshot(sweep_id)) and shown.sweep.trials)
    other = make_service()
    assert other.continue_interrupted() == 0, "the process that searches is alive"
    with pytest.raises(DpdashError, match="Another process goes on"):
        other.resume(sweep_id)
    kept = other.snapshot(sweep_id)
    assert kept is not None and not kept.is_live and kept.sweep.status is SweepStatus.SEARCHING
    service.close(LONG)
    runs_of(service).shutdown()
    engine.gate.set()
    assert other.continue_interrupted() == 1
    assert other.continue_interrupted() == 0
    assert other.wait(sweep_id, LONG)
    found = other.snapshot(sweep_id)
    assert found is not None and (found.sweep.status, found.sweep.num_over) == (SweepStatus.FINISHED, 4)
    assert found.sweep.owner == "ann"


def test_what_is_over_cannot_be_resumed(service: SweepService) -> None:
    sweep_id = service.start(sweep_plan_of(), "ann")
    assert service.wait(sweep_id, LONG)
    for wanted in (sweep_id, "no such sweep"):
        with pytest.raises(UnknownRunError, match="that could go on"):
            service.resume(wanted)


def test_nothing_starts_once_the_server_ends(service: SweepService, make_service: MakeService) -> None:
    shelf = runs_of(service).runs.sweeps
    assert shelf is not None
    shelf.put(replace(sweep_of(lambda _values: 1.0), status=SweepStatus.SEARCHING))
    service.close(LONG)
    assert service.continue_interrupted() == 0


def test_without_a_store_a_sweep_is_shown_all_the_same(make_service: MakeService) -> None:
    service = make_service(saved=False)
    sweep_id = service.start(sweep_plan_of(), "ann")
    assert service.wait(sweep_id, LONG)
    assert [sweep.sweep_id for sweep in whole(service)] == [sweep_id]
    with pytest.raises(StoreError, match="no database"):
        service.resume(sweep_id)


def test_a_database_that_fails_is_told(service: SweepService, tmp_path: Path) -> None:
    (tmp_path / "runs.db").rename(tmp_path / "away.db")
    sweep_id = service.start(sweep_plan_of(), "ann")
    assert service.wait(sweep_id, LONG)
    assert isinstance(service.problem, StoreError)
    shown = service.snapshot(sweep_id)
    assert shown is not None and shown.sweep.status is SweepStatus.FINISHED
    assert [sweep.sweep_id for sweep in whole(service)] == [sweep_id]
    (tmp_path / "away.db").rename(tmp_path / "runs.db")


def test_a_folder_that_cannot_be_made_keeps_from_nothing(service: SweepService, tmp_path: Path) -> None:
    (tmp_path / "runs.db-sweeps").write_text("a file")
    sweep_id = service.start(sweep_plan_of(), "ann")
    assert service.wait(sweep_id, LONG)
    shown = service.snapshot(sweep_id)
    assert shown is not None and shown.sweep.status is SweepStatus.FINISHED


@pytest.mark.parametrize(("slots", "places"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8)])
def test_sweeps_have_half_of_the_slots_whoever_wants_them(slots: int, places: int) -> None:
    assert least_places(slots) == places
