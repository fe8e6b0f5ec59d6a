"""Runs that have ended go on: who may let them, where they wait, and what they come back with."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import (
    ConfigError,
    FrozenError,
    NotOwnerError,
    NotResumableError,
    SettingError,
    StoreError,
    TooManyRunsError,
    UnknownRunError,
)
from dpdash.core.events import COLUMNS, EpochBlock, RunEvent, RunStatus, RunStopped
from dpdash.core.settings import ServerSettings
from dpdash.runs.pace import Pace
from dpdash.runs.service import RunService
from dpdash.store.resuming import Past, Resumption
from dpdash.store.rows import RunRecord
from dpdash.store.store import RunStore
from dpdash.training import catalog
from dpdash.training.checkpoint import CheckpointError
from tests.chance import chance
from tests.fakes import FakeEngine, eventually
from tests.unit.runs.conftest import MakeService

FULL = Pace.full_speed()
SLOW = Pace.rate(5)
CONFIG = RunConfig(epochs=50)
LONG = 20.0


def _has_trained(service: RunService, run_id: str, epoch: int) -> bool:
    return service.runs.snapshot(run_id).history.num_epochs == epoch


def steps(service: RunService, count: int, run_id: str, owner: str = "ann") -> None:
    """Train so many epochs of a run, one by one."""
    for _step in range(count):
        wanted = service.runs.snapshot(run_id).history.num_epochs + 1
        service.step(run_id, owner)
        eventually(partial(_has_trained, service, run_id, wanted))


def stopped(service: RunService, count: int = 7, config: RunConfig = CONFIG) -> str:
    """A run that was stopped after so many epochs."""
    run_id = service.start(config, "ann", FULL, paused=True)
    steps(service, count, run_id)
    service.stop(run_id, "ann")
    assert service.runs.wait(run_id, LONG)
    return run_id


def finished(service: RunService, engine: FakeEngine, run_id: str) -> None:
    engine.gate.set()
    assert service.runs.wait(run_id, LONG)
    assert service.runs.snapshot(run_id).status is RunStatus.FINISHED


def test_a_stopped_run_goes_on_under_its_id_with_its_whole_curve(service: RunService, engine: FakeEngine) -> None:
    run_id = stopped(service)
    created_at = service.runs.snapshot(run_id).created_at
    service.resume_ended(run_id, "ann", FULL)
    shown = service.runs.snapshot(run_id)
    assert (shown.is_live, shown.resumed_from, shown.created_at) == (True, 7, created_at)
    assert shown.history.num_epochs == 7, "what was trained before is there at once"
    assert shown.history.ended is None
    finished(service, engine, run_id)
    rows = service.runs.rows(run_id)
    assert rows is not None and len(rows) == 50
    assert [record.run_id for record in service.runs.latest()] == [run_id], "it is there once"
    assert service.runs.latest()[0].status is RunStatus.FINISHED


def test_a_run_that_a_shutdown_interrupted_goes_on_in_the_next_process(
    make_service: MakeService, engine: FakeEngine
) -> None:
    first = make_service()
    run_id = first.start(CONFIG, "ann", FULL, paused=True)
    steps(first, 3, run_id)
    first.shutdown()
    second = make_service()
    assert second.runs.snapshot(run_id).status is RunStatus.INTERRUPTED
    second.resume_ended(run_id, "ann", FULL)
    assert second.runs.snapshot(run_id).history.num_epochs == 3
    finished(second, engine, run_id)


def test_it_may_have_more_epochs(service: RunService, engine: FakeEngine) -> None:
    run_id = stopped(service)
    service.resume_ended(run_id, "ann", FULL, epochs=80)
    assert service.runs.snapshot(run_id).config.epochs == 80
    finished(service, engine, run_id)
    rows = service.runs.rows(run_id)
    assert rows is not None and len(rows) == 80
    assert service.runs.latest()[0].config.epochs == 80


def test_it_may_not_have_fewer(service: RunService) -> None:
    run_id = stopped(service)
    with pytest.raises(
        SettingError, match=r"epochs of a run that goes on must be at least its own, 50. Received: 20"
    ):
        service.resume_ended(run_id, "ann", FULL, epochs=20)
    assert service.runs.snapshot(run_id).status is RunStatus.STOPPED


def test_only_the_owner_lets_it_go_on(service: RunService) -> None:
    run_id = stopped(service)
    with pytest.raises(NotOwnerError):
        service.resume_ended(run_id, "bob", FULL)
    with pytest.raises(UnknownRunError):
        service.resume_ended("gone", "ann", FULL)
    assert service.runs.snapshot(run_id).status is RunStatus.STOPPED


def test_letting_a_run_go_on_that_is_live_does_nothing(service: RunService) -> None:
    run_id = stopped(service)
    service.resume_ended(run_id, "ann", SLOW)
    service.resume_ended(run_id, "ann", FULL)
    shown = service.runs.snapshot(run_id)
    assert (shown.is_live, shown.pace) == (True, SLOW)


def test_a_run_goes_on_in_the_instant_after_its_end(service: RunService, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = service.start(CONFIG, "ann", FULL, paused=True)
    steps(service, 3, run_id)
    has_ended, may_be_told = threading.Event(), threading.Event()
    append = RunStore.append

    def late(store: RunStore, of_run: str, event: RunEvent) -> None:
        if isinstance(event, RunStopped):
            has_ended.set()
            assert may_be_told.wait(LONG)
        append(store, of_run, event)

    monkeypatch.setattr(RunStore, "append", late)
    service.stop(run_id, "ann")
    assert has_ended.wait(LONG)
    assert service.runs.snapshot(run_id).status is RunStatus.STOPPED
    resuming = ThreadPoolExecutor(1).submit(service.resume_ended, run_id, "ann", SLOW)
    assert not wait_for([resuming], timeout=0.2).done
    may_be_told.set()
    resuming.result(LONG)
    assert service.runs.snapshot(run_id).is_live


def test_while_the_store_takes_a_run_up_others_are_shown_and_steered(
    service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = service.start(CONFIG, "bob", FULL, paused=True)
    run_id = stopped(service)
    is_asked, may_go_on = threading.Event(), threading.Event()
    take_up = Resumption.take_up

    def waits(resumption: Resumption, past: Past, record: RunRecord) -> None:
        is_asked.set()
        assert may_go_on.wait(LONG)
        take_up(resumption, past, record)

    monkeypatch.setattr(Resumption, "take_up", waits)
    resuming = threading.Thread(target=service.resume_ended, args=(run_id, "ann", SLOW))
    resuming.start()
    assert is_asked.wait(LONG)
    looking = threading.Thread(target=steps, args=(service, 1, other), kwargs={"owner": "bob"}, daemon=True)
    looking.start()
    looking.join(LONG / 4)
    is_shown = not looking.is_alive()
    may_go_on.set()
    resuming.join(LONG)
    assert is_shown, "a page of another run waited for the disk"
    assert service.runs.snapshot(run_id).is_live


@pytest.mark.parametrize("epochs", [None, 20, 50])
def test_a_run_that_has_finished_needs_more_epochs(
    epochs: int | None, service: RunService, engine: FakeEngine
) -> None:
    engine.gate.set()
    run_id = service.start(CONFIG, "ann", FULL)
    assert service.runs.wait(run_id, LONG)
    with pytest.raises(SettingError, match=r"more than its own, 50, .* Received: \d+\. Try 100\."):
        service.resume_ended(run_id, "ann", FULL, epochs)
    service.resume_ended(run_id, "ann", FULL, 80)
    assert service.runs.snapshot(run_id).resumed_from == 50
    finished(service, engine, run_id)
    rows, listed = service.runs.rows(run_id), service.runs.latest()[0]
    assert rows is not None and len(rows) == listed.num_epochs == listed.config.epochs == 80


def test_what_a_server_allows_bounds_a_run_that_is_trained_on(
    make_service: MakeService, engine: FakeEngine
) -> None:
    service = make_service(max_epochs=60)
    engine.gate.set()
    run_id = service.start(CONFIG, "ann", FULL)
    assert service.runs.wait(run_id, LONG)
    with pytest.raises(ConfigError, match=r"epochs must be at most 60 on this server\. Received: 61"):
        service.resume_ended(run_id, "ann", FULL, 61)
    service.resume_ended(run_id, "ann", FULL, 60)
    finished(service, engine, run_id)


def test_a_run_that_failed_cannot_be_trained_on(make_service: MakeService) -> None:
    broken = FakeEngine(RuntimeError("broken"))
    broken.gate.set()
    service = make_service(engine=broken)
    run_id = service.start(CONFIG, "ann", FULL)
    assert service.runs.wait(run_id, LONG)
    with pytest.raises(NotResumableError, match="A run that diverged, failed or was imported cannot go on"):
        service.resume_ended(run_id, "ann", FULL, 80)


def test_a_frozen_room_lets_none_go_on(service: RunService) -> None:
    run_id = stopped(service)
    service.room.freeze(True)
    with pytest.raises(FrozenError):
        service.resume_ended(run_id, "ann", FULL)
    service.room.freeze(False)
    service.resume_ended(run_id, "ann", FULL)


def test_there_may_be_too_many_runs_for_it(make_service: MakeService) -> None:
    service = make_service(max_runs_per_browser=1)
    run_id = stopped(service)
    other = service.start(CONFIG, "ann", FULL)
    with pytest.raises(TooManyRunsError):
        service.resume_ended(run_id, "ann", FULL)
    shown = service.runs.snapshot(run_id)
    assert (shown.status, shown.history.num_epochs) == (RunStatus.STOPPED, 7), "nothing was cut"
    service.stop(other, "ann")
    assert service.runs.wait(other, LONG)
    service.resume_ended(run_id, "ann", FULL)


def test_this_server_may_allow_fewer_epochs_than_it_asks_for(make_service: MakeService) -> None:
    service = make_service(max_epochs=60)
    run_id = stopped(service)
    with pytest.raises(ConfigError, match="at most 60"):
        service.resume_ended(run_id, "ann", FULL, epochs=70)


def test_it_waits_for_a_slot_like_any_run(service: RunService, engine: FakeEngine) -> None:
    run_id = stopped(service)
    busy = service.start(CONFIG, "ann", FULL)
    service.resume_ended(run_id, "ann", FULL)
    shown = service.runs.snapshot(run_id)
    assert (shown.status, shown.waiting_for, shown.place) == (RunStatus.WAITING, "start", 1)
    service.stop(busy, "ann")
    finished(service, engine, run_id)
    # Its slot is given back on its thread, after the end that everybody sees.
    eventually(lambda: service.runs.num_training() == 0)


def test_one_that_waits_and_is_stopped_keeps_what_it_had(service: RunService, engine: FakeEngine) -> None:
    run_id = stopped(service)
    line = service.runs.snapshot(run_id).history.latest
    assert line is not None
    busy = service.start(CONFIG, "ann", FULL)
    for _time in range(2):
        service.resume_ended(run_id, "ann", FULL)
        service.pause(run_id, "ann")
        assert service.runs.snapshot(run_id).status is RunStatus.PAUSED
        service.stop(run_id, "ann")
        shown = service.runs.snapshot(run_id)
        assert (shown.status, shown.history.num_epochs) == (RunStatus.STOPPED, 7)
        assert shown.history.line == (line.slope, line.intercept)
        ended = shown.history.ended
        assert isinstance(ended, RunStopped) and ended.num_epochs == 7
    service.stop(busy, "ann")
    service.resume_ended(run_id, "ann", FULL)
    finished(service, engine, run_id)


def test_a_run_that_never_began_begins(service: RunService, engine: FakeEngine) -> None:
    busy, waiting = (service.start(CONFIG, "ann", FULL) for _number in range(2))
    service.stop(waiting, "ann")
    service.stop(busy, "ann")
    service.resume_ended(waiting, "ann", FULL)
    assert service.runs.snapshot(waiting).resumed_from == 0
    finished(service, engine, waiting)


def test_without_a_database_nothing_goes_on(make_service: MakeService) -> None:
    service = make_service(saved=False)
    run_id = stopped(service)
    with pytest.raises(StoreError, match="no database"):
        service.resume_ended(run_id, "ann", FULL)


def change(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE checkpoints SET state = x'00'", CheckpointError),
        ("UPDATE runs SET deleted_at = 1.0", UnknownRunError),
        ("UPDATE runs SET is_imported = 1", NotResumableError),
        ("UPDATE runs SET status = 'running'", NotResumableError),
    ],
    ids=["damaged", "deleted", "imported", "trained elsewhere"],
)
def test_what_cannot_go_on_is_told(
    service: RunService, tmp_path: Path, statement: str, expected: type[Exception]
) -> None:
    run_id = stopped(service)
    service.runs.rows(run_id)
    change(tmp_path / "runs.db", statement)
    with pytest.raises(expected):
        service.resume_ended(run_id, "ann", FULL)
    assert service.runs.health.ok
    assert not service.runs.snapshot(run_id).is_live


def test_pages_of_another_process_see_that_it_goes_on(make_service: MakeService, engine: FakeEngine) -> None:
    mine = make_service()
    run_id = stopped(mine)
    mine.runs.rows(run_id)
    other = make_service()
    assert other.runs.snapshot(run_id).status is RunStatus.STOPPED
    mine.resume_ended(run_id, "ann", FULL)
    finished(mine, engine, run_id)
    mine.runs.rows(run_id)
    eventually(lambda: other.runs.snapshot(run_id).status is RunStatus.FINISHED)


# With real engines: a copy of the database, at any moment, is what a process that is killed then leaves behind.


def opened(database: Path) -> RunService:
    return RunService.open(ServerSettings(database_url=f"sqlite:///{database}"), catalog.require)


@contextmanager
def left_behind(database: Path, folder: Path) -> Iterator[RunService]:
    """The next process on what one leaves behind that is killed now."""
    folder.mkdir()
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(folder / "runs.db")) as copy:
        source.backup(copy)
    service = opened(folder / "runs.db")
    try:
        yield service
    finally:
        service.shutdown()


def is_stored(database: Path, run_id: str) -> bool:
    with closing(sqlite3.connect(database)) as source:
        return source.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone() is not None


def rows_of(service: RunService, run_id: str) -> EpochBlock:
    rows = service.runs.rows(run_id)
    assert rows is not None
    return rows


def assert_same_rows(found: EpochBlock, expected: EpochBlock) -> None:
    assert len(found) == len(expected)
    for name in COLUMNS:
        if name != "seconds":
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("batch", [None, 50])
def test_whenever_it_is_killed_and_however_often_it_ends_as_if_it_never_had(
    batch: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpdash.training.loop.epoch_loop.CHECKPOINT_SECONDS", 0.2)
    config = RunConfig(samples=200, epochs=1500, global_batch_size=batch)
    moments = chance()
    first = opened(tmp_path / "runs.db")
    try:
        run_id = first.start(config, "ann", Pace.rate(600))
        moved: list[float] = []
        for rate in (0.02, 0.005):
            time.sleep(moments.uniform(0.1, 0.8))  # any moment is as good as another
            first.set_learning_rate(run_id, "ann", rate)
            moved.append(rate)
        time.sleep(moments.uniform(0.0, 0.6))
        # Of one that is killed before it is stored nothing is left to go on with.
        eventually(partial(is_stored, tmp_path / "runs.db", run_id))
        with left_behind(tmp_path / "runs.db", tmp_path / "second") as second:
            second.resume_ended(run_id, "ann", Pace.rate(600))
            time.sleep(moments.uniform(0.0, 0.8))
            with left_behind(tmp_path / "second" / "runs.db", tmp_path / "third") as third:
                third.resume_ended(run_id, "ann", FULL)
                assert third.runs.wait(run_id, LONG)
                found, shown = rows_of(third, run_id), third.runs.snapshot(run_id)
        assert first.runs.wait(run_id, LONG)
        expected, whole = rows_of(first, run_id), first.runs.snapshot(run_id)
    finally:
        first.shutdown()
    assert shown.status is whole.status is RunStatus.FINISHED
    # What was asked for in the last moment before a kill may not have been saved.
    changes = shown.history.learning_rate_changes
    assert changes == whole.history.learning_rate_changes[: len(changes)]
    if len(changes) == len(moved):
        assert_same_rows(found, expected)
    else:
        lost = whole.history.learning_rate_changes[len(changes)].epoch
        assert_same_rows(found.until(lost - 1), expected.until(lost - 1))
