"""Several processes on one database, and processes that die: real ones, killed for real."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import IO

import pytest
import sqlalchemy as sa

from dpdash.core.events import RunStatus
from dpdash.core.scaling.study import StudyStatus
from dpdash.store.schema import instances
from dpdash.store.store import RunStore
from dpdash.store.url import database_at, sqlite_path
from tests.fakes import eventually
from tests.unit.sweeps.conftest import study_of

TRAINER = """
import sys, time
from dpdash.core.config import RunConfig
from dpdash.core.events import RunStarted
from dpdash.core.history import History
from dpdash.runs.recorder import Recorder
from dpdash.store.url import database_at, sqlite_path
from dpdash.store.schema import instances
from dpdash.store.store import RunStore
from tests.fakes import block_of

url, run_id = sys.argv[1:]
store = RunStore(url)
store.create_run(run_id, RunConfig(epochs=1_000_000), "other process", time.time())
recorder = Recorder(run_id, History(), store)
recorder.emit(RunStarted(time.time(), ("cpu",), (10,), False, None))
for first_epoch in range(1, 1_000_000, 100):
    recorder.emit(block_of(first_epoch, 100))
    print(first_epoch + 99, flush=True)
    time.sleep(0.02)
"""


class Trainer:
    """A process that trains one run until it is killed."""

    def __init__(self, url: str, run_id: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", TRAINER, url, run_id], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.output: IO[bytes] = self.process.stdout

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.output.close()


@pytest.fixture
def trainer(url: str) -> Iterator[Trainer]:
    trainer = Trainer(url, "killed")
    yield trainer
    if trainer.process.poll() is None:
        trainer.kill()


def epochs_of(store: RunStore, run_id: str) -> int:
    record = store.run(run_id)
    return record.num_epochs if record else 0


def status_of(store: RunStore, run_id: str) -> RunStatus | None:
    record = store.run(run_id)
    return record.status if record else None


def seen_by(store: RunStore, run_id: str) -> RunStatus | None:
    """The status of a run, once the store has looked for processes that died."""
    store.interrupt_dead()
    return status_of(store, run_id)


def test_a_killed_process_leaves_its_run_interrupted_with_its_curve(url: str, trainer: Trainer) -> None:
    assert trainer.output.readline()
    watcher = RunStore(url)
    eventually(lambda: epochs_of(watcher, "killed") >= 2_000)
    watcher.interrupt_dead()
    assert status_of(watcher, "killed") is RunStatus.RUNNING, "its process is alive"
    seen = epochs_of(watcher, "killed")
    trainer.kill()
    # A server of a database learns of it a moment later.
    eventually(lambda: seen_by(watcher, "killed") is RunStatus.INTERRUPTED)
    history, rows = watcher.history("killed"), watcher.rows("killed")
    assert history is not None and rows is not None
    snapshot = history.snapshot()
    assert snapshot.status is RunStatus.INTERRUPTED
    assert snapshot.num_epochs == len(rows) == epochs_of(watcher, "killed") >= seen
    assert snapshot.started is not None
    assert watcher.close()


def test_the_next_start_finds_the_interrupted_run_in_a_sound_database(url: str, trainer: Trainer) -> None:
    while int(trainer.output.readline()) < 6_000:
        pass
    trainer.kill()
    store = RunStore(url)
    eventually(lambda: seen_by(store, "killed") is RunStatus.INTERRUPTED)
    assert [record.run_id for record in store.runs()] == ["killed"], "it is there once"
    assert epochs_of(store, "killed") > 0
    assert store.close()
    path = sqlite_path(url)
    if path is not None:
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_second_process_leaves_the_runs_of_a_living_one_alone(url: str, trainer: Trainer) -> None:
    assert trainer.output.readline()
    first = RunStore(url)
    second = RunStore(url)
    eventually(lambda: epochs_of(second, "killed") > 0)
    before = epochs_of(second, "killed")
    eventually(lambda: epochs_of(first, "killed") > before)
    assert status_of(second, "killed") is RunStatus.RUNNING
    assert second.close()
    assert status_of(first, "killed") is RunStatus.RUNNING, "closing one store ends nobody else's run"
    assert first.close()


def test_nothing_stays_behind_of_processes_that_ended(url: str, trainer: Trainer) -> None:
    assert trainer.output.readline()
    trainer.kill()
    store = RunStore(url)
    eventually(lambda: seen_by(store, "killed") in (RunStatus.INTERRUPTED, None))
    assert store.close()
    path = sqlite_path(url)
    if path is not None:
        left = path.with_name(f"{path.name}-instances").iterdir()
        assert [found.name for found in left if found.name != "migration.lock"] == []
    engine = database_at(url).engine
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(instances)) == 0
    engine.dispose()


def test_a_study_is_known_to_be_measured_until_it_is_over_or_its_process_is(url: str) -> None:
    first, second = RunStore(url), RunStore(url)
    study = study_of(lambda point: 0.25)
    others = replace(study, study_id="other")
    for one in (study, others):
        first.studies.put(one)
        first.studies.put(one)
        assert first.studies.is_held(one.study_id) and second.studies.is_held(one.study_id)
    first.studies.put(replace(study, status=StudyStatus.FINISHED))
    assert not second.studies.is_held(study.study_id)
    assert second.studies.is_held("other")
    assert first.close()
    assert not second.studies.is_held("other"), "its process is gone: it died"
    assert second.close()


def test_of_two_processes_one_goes_on_with_a_sweep(url: str) -> None:
    first, second = RunStore(url), RunStore(url)
    assert first.sweeps.take("sweep") and not second.sweeps.take("sweep")
    assert not first.sweeps.take("sweep"), "once is enough: it is let go of once"
    assert second.sweeps.take("another")
    first.sweeps.let_go("sweep", for_good=False)
    assert second.sweeps.take("sweep") and not first.sweeps.take("sweep")
    assert second.close()
    assert first.sweeps.take("another")
    assert first.close()
