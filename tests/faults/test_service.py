"""Faults around a service that trains: its folder is deleted, its database comes late, an engine hangs."""

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import Checkpoint, RunStarted, RunStatus
from dpdash.core.settings import ServerSettings
from dpdash.runs.service import Pace, RunService
from dpdash.store import errors as problems
from dpdash.store.store import RunStore
from dpdash.training.catalog import require
from dpdash.training.control import RunControl
from dpdash.training.engine import Availability, Emit, Engine
from tests.fakes import block_of, eventually

ENDLESS = RunConfig(samples=20, epochs=1_000_000)
BRISK = Pace.rate(200)
LONG = 20.0

OpenService = Callable[..., RunService]


class Hanging:
    """An engine that trains five epochs and then hangs, deaf to every command, until its test is over."""

    name = EngineName.SINGLE

    def __init__(self) -> None:
        self.is_over = threading.Event()

    def availability(self, config: RunConfig) -> Availability:
        return Availability()

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        emit(RunStarted(1.0, ("fake",), (config.samples,), emulated=False, one_device_step_seconds=None))
        emit(block_of(1, 5))
        self.is_over.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def open_service(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenService]:
    monkeypatch.setattr("dpdash.runs.service.LOOK_AROUND_SECONDS", 0.05)
    opened: list[RunService] = []

    def opens(find_engine: Callable[[RunConfig], Engine] = require) -> RunService:
        settings = ServerSettings(database_url=f"sqlite:///{folder / 'runs.db'}", full_speed_slots=2)
        opened.append(RunService.open(settings, find_engine))
        return opened[-1]

    yield opens
    for service in opened:
        service.shutdown(timeout=2)


def template_of(service: RunService) -> str | None:
    problem = service.runs.health.problem
    return problem.template if problem else None


def num_epochs(service: RunService, run_id: str) -> int:
    return service.runs.snapshot(run_id).history.num_epochs


def test_a_folder_that_is_deleted_in_mid_run_is_told_and_training_goes_on(
    open_service: OpenService, folder: Path
) -> None:
    service = open_service()
    run_id = service.start(ENDLESS, "ann", BRISK)
    eventually(lambda: num_epochs(service, run_id) > 0)
    shutil.rmtree(folder)
    eventually(lambda: template_of(service) == problems.MOVED)
    before = num_epochs(service, run_id)
    eventually(lambda: num_epochs(service, run_id) > before)
    assert service.runs.snapshot(run_id).saved.problem is not None
    assert [record.run_id for record in service.runs.latest()] == [run_id]
    another = service.start(RunConfig(samples=20, epochs=5), "bob", Pace.full_speed())
    assert service.runs.wait(another, LONG)
    assert service.runs.snapshot(another).status is RunStatus.FINISHED
    service.shutdown(timeout=2)
    assert service.runs.snapshot(run_id).status is RunStatus.INTERRUPTED
    assert not folder.exists()


def test_a_database_that_comes_late_is_opened_by_itself_and_has_everything(
    open_service: OpenService, folder: Path
) -> None:
    database = folder / "runs.db"
    assert RunStore(f"sqlite:///{database}").close()
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        service = open_service()
        assert template_of(service) == problems.LOCKED
        finished = service.start(RunConfig(samples=20, epochs=5), "ann", Pace.full_speed())
        running = service.start(ENDLESS, "ann", BRISK)
        assert service.runs.wait(finished, LONG)
        eventually(lambda: num_epochs(service, running) > 5)
        assert not service.runs.snapshot(finished).saved.ok
        assert {record.run_id for record in service.runs.latest()} == {finished, running}
    eventually(lambda: service.runs.health.ok and service.runs.rows(running) is not None)
    rows = service.runs.rows(finished)
    assert rows is not None
    assert len(rows) == 5
    service.shutdown()
    again = open_service()
    assert [record.run_id for record in again.runs.latest()] == [running, finished]
    assert num_epochs(again, running) == num_epochs(service, running), "saved whole"


def test_a_database_that_comes_late_is_opened_even_when_nothing_trains(
    open_service: OpenService, folder: Path
) -> None:
    folder.write_text("a file where the folder should be")
    service = open_service()
    assert template_of(service) == problems.NO_FILE
    folder.unlink()
    eventually(lambda: service.runs.health.ok)
    assert service.runs.latest() == ()


def test_an_engine_that_hangs_keeps_its_slot_and_holds_up_nobody(open_service: OpenService) -> None:
    hanging = Hanging()
    service = open_service(lambda config: hanging if config.seed == 1 else require(config))
    stuck = service.start(RunConfig(seed=1), "ann", Pace.full_speed())
    eventually(lambda: num_epochs(service, stuck) == 5)
    assert not service.runs.snapshot(stuck).is_stopping
    service.stop(stuck, "ann")
    shown = service.runs.snapshot(stuck)
    assert (shown.status, shown.is_stopping, shown.is_live) == (RunStatus.RUNNING, True, True)
    others = [service.start(RunConfig(samples=20, epochs=5), "bob", Pace.full_speed()) for _ in range(3)]
    assert all(service.runs.wait(other, LONG) for other in others)
    eventually(lambda: service.runs.num_training() == 1)

    service.shutdown(timeout=1)
    again = open_service()
    assert again.runs.snapshot(stuck).status is RunStatus.INTERRUPTED
    assert num_epochs(again, stuck) == 5
    assert not again.runs.snapshot(stuck).is_stopping
    hanging.is_over.set()
