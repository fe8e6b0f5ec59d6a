"""What every store does with checkpoints, and how a run that has ended is taken up again in it."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from dpdash.core.config import RunConfig
from dpdash.core.errors import NotResumableError
from dpdash.core.events import (
    COLUMNS,
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunDiverged,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStatus,
    RunStopped,
    StopReason,
)
from dpdash.store.resuming import Past
from dpdash.store.rows import RunRecord
from dpdash.store.schema import blocks
from dpdash.store.store import RunStore
from dpdash.store.url import database_at
from dpdash.training.checkpoint import CheckpointError, State
from tests.contract.test_stores import LONG, STARTED
from tests.fakes import block_of, checkpoint_of, eventually

CONFIG = RunConfig(epochs=100)
LONGER = RunConfig(epochs=200)
STOPPED = RunStopped(10, 2.5, 0.5, 1.5)


@pytest.fixture
def store(url: str) -> Iterator[RunStore]:
    store = RunStore(url)
    store.create_run("run", CONFIG, "ann", 1.0)
    yield store
    store.close()


def say(store: RunStore, *events: RunEvent) -> None:
    for event in events:
        store.append("run", event)
    assert store.flush(LONG)


def past_of(store: RunStore) -> Past:
    past = store.resumption.past("run")
    assert past is not None
    return past


def record_of(store: RunStore) -> RunRecord:
    record = store.run("run")
    assert record is not None
    return record


def now_of(past: Past) -> RunRecord:
    """The run as it is to be when it goes on."""
    shown = past.history.snapshot()
    latest = shown.latest
    return replace(
        past.record,
        config=LONGER,
        num_epochs=shown.num_epochs,
        loss=latest.loss if latest else None,
        slope=latest.slope if latest else None,
        intercept=latest.intercept if latest else None,
        seconds=shown.seconds,
        best_loss=float(shown.low[0].min()) if latest else None,
    )


def with_changes(*changes: LearningRateChanged, epoch: int = 6) -> Checkpoint:
    return State(epoch, epoch / 7, 0.01, 1, changes, {}).packed()


def test_the_newest_checkpoint_is_where_a_run_goes_on(store: RunStore) -> None:
    say(
        store, STARTED, block_of(1, 3), checkpoint_of(3), block_of(4, 3), checkpoint_of(6), block_of(7, 4), STOPPED
    )
    past = past_of(store)
    assert State.of(past.start) == State.of(checkpoint_of(6))
    shown = past.history.snapshot()
    assert (shown.status, shown.num_epochs, shown.ended) == (RunStatus.WAITING, 6, None)
    assert shown.started == STARTED


def test_a_checkpoint_of_an_earlier_commit_gives_way_to_a_newer_one(store: RunStore) -> None:
    say(store, block_of(1, 3), checkpoint_of(3))
    say(store, block_of(4, 3), checkpoint_of(6))
    say(store, block_of(7, 4), STOPPED)
    assert past_of(store).start.epoch == 6


@pytest.mark.parametrize("ending", [RunDiverged(6, 7, 1.0), RunFailed(6, "It broke.", "", 1.0)])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_run_that_cannot_go_on_has_no_checkpoint(store: RunStore, ending: RunEvent, at_once: bool) -> None:
    if not at_once:
        say(store, block_of(1, 3), checkpoint_of(3))
    say(store, *([block_of(1, 3)] if at_once else []), block_of(4, 3), checkpoint_of(6), ending)
    assert past_of(store).start.epoch == 0


def test_a_run_that_has_finished_goes_on_behind_its_last_epoch(store: RunStore) -> None:
    finished = RunFinished(10, 2.9, 0.1, 2.0)
    say(store, STARTED, block_of(1, 10), LearningRateChanged(4, 0.5), with_changes(epoch=10), finished)
    past = past_of(store)
    shown = past.history.snapshot()
    assert (past.start.epoch, shown.num_epochs, shown.ended) == (10, 10, None)
    store.resumption.take_up(past, now_of(past))
    record = record_of(store)
    assert (record.status, record.config, record.ended_at) == (RunStatus.WAITING, LONGER, None)
    say(store, STARTED, block_of(11, 10), with_changes(epoch=20), RunFinished(20, 3.0, 0.0, 4.0))
    history, rows = store.history("run"), store.rows("run")
    assert history is not None and rows is not None
    assert len(rows) == history.snapshot().num_epochs == 20
    assert history.snapshot().learning_rate_changes == (LearningRateChanged(4, 0.5),)
    assert history.snapshot().line == (record_of(store).slope, record_of(store).intercept) == (3.0, 0.0)


def test_a_run_without_a_checkpoint_begins_anew(store: RunStore) -> None:
    changes = (LearningRateChanged(3, 0.5), LearningRateChanged(3, 0.25), LearningRateChanged(9, 0.1))
    say(store, STARTED, block_of(1, 10), *changes, STOPPED)
    past = past_of(store)
    assert (past.start.epoch, past.history.snapshot().num_epochs) == (0, 0)
    assert State.of(past.start).replays == changes
    store.resumption.take_up(past, now_of(past))
    record = record_of(store)
    assert (record.num_epochs, record.loss, record.slope, record.best_loss, record.seconds) == (
        0,
        *[None] * 3,
        0.0,
    )
    assert store.rows("run") is None
    assert State.of(past_of(store).start).replays == changes, "killed again, it still has them"


@pytest.mark.parametrize("cut", [3, 5, 6, 9])
def test_taking_up_cuts_behind_the_checkpoint(store: RunStore, cut: int) -> None:
    whole = [block_of(1, 3), block_of(4, 3), block_of(7, 4)]
    for block in whole:
        say(store, block)
    say(
        store,
        LearningRateChanged(cut, 0.5),
        LearningRateChanged(cut + 1, 0.25),
        RunPaused(cut - 1),
        RunResumed(cut - 1),
        RunPaused(cut),
        RunPaused(cut + 1),
        replace(with_changes(epoch=cut)),
        STOPPED,
    )
    past = past_of(store)
    store.resumption.take_up(past, now_of(past))
    rows, history, record = store.rows("run"), store.history("run"), record_of(store)
    assert rows is not None and history is not None
    for name in COLUMNS:
        expected = np.concatenate([getattr(block, name) for block in whole])[:cut]
        assert getattr(rows, name).tobytes() == expected.tobytes(), "not the same bits"
    assert (record.status, record.config, record.ended_at) == (RunStatus.WAITING, LONGER, None)
    assert (record.num_epochs, record.loss, record.seconds) == (cut, rows.loss[-1], rows.seconds[-1])
    assert record.best_loss == float(rows.loss.min())
    assert history.snapshot().learning_rate_changes == (LearningRateChanged(cut, 0.5),)
    assert history.snapshot().ended is None
    assert State.of(past.start).replays == (LearningRateChanged(cut + 1, 0.25),)
    # It goes on, and everything is there once.
    say(store, STARTED, LearningRateChanged(cut + 1, 0.25), block_of(cut + 1, 50), RunFinished(99, 3.0, 0.0, 1.0))
    rows = store.rows("run")
    assert rows is not None and len(rows) == cut + 50
    assert record_of(store).status is RunStatus.FINISHED


def test_what_was_to_be_taken_again_is_known_to_whoever_takes_it_up_next(store: RunStore) -> None:
    planned = (LearningRateChanged(8, 0.5), LearningRateChanged(20, 0.25))
    say(store, block_of(1, 10), with_changes(*planned), planned[0], STOPPED)
    assert State.of(past_of(store).start).replays == planned
    say(store, LearningRateChanged(9, 0.125))
    assert State.of(past_of(store).start).replays == (planned[0], LearningRateChanged(9, 0.125))


def test_a_run_is_taken_up_once(store: RunStore) -> None:
    say(store, block_of(1, 10), checkpoint_of(6), STOPPED)
    first, second = past_of(store), past_of(store)
    store.resumption.take_up(first, now_of(first))
    with pytest.raises(NotResumableError):
        store.resumption.take_up(second, now_of(second))
    say(store, block_of(7, 20), RunStopped(26, 2.5, 0.5, 1.5))
    with pytest.raises(NotResumableError):
        store.resumption.take_up(second, now_of(second))
    assert record_of(store).num_epochs == 26


def test_a_run_that_another_process_takes_up_is_that_ones(url: str, store: RunStore) -> None:
    say(store, block_of(1, 10), checkpoint_of(6), RunStopped(10, 2.5, 0.5, 1.5, StopReason.SHUTDOWN))
    other = RunStore(url)
    past = past_of(other)
    other.resumption.take_up(past, now_of(past))
    assert store.close()
    assert record_of(other).status is RunStatus.WAITING, "the first process's end is not this run's"
    assert other.close()


def test_a_damaged_checkpoint_is_told_and_is_no_fault_of_the_database(store: RunStore) -> None:
    say(store, block_of(1, 10), Checkpoint(6, 1.0, b"nothing"), STOPPED)
    with pytest.raises(CheckpointError):
        past_of(store)
    assert store.health.ok


def test_an_unknown_run_has_no_past(store: RunStore) -> None:
    assert store.resumption.past("../../etc/passwd") is None


def test_a_checkpoint_whose_rows_are_gone_is_not_used(url: str, store: RunStore) -> None:
    say(store, block_of(1, 5))
    say(store, block_of(6, 5), checkpoint_of(8), STOPPED)
    engine = database_at(url).engine
    with engine.begin() as connection:
        connection.execute(sa.delete(blocks).where(blocks.c.first_epoch == 6))
    engine.dispose()
    assert past_of(store).start.epoch == 0


def locked(path: Path) -> sqlite3.Connection:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    return other


def test_of_many_checkpoints_that_wait_the_newest_is_saved(tmp_path: Path) -> None:
    state = b"x" * 4000
    store = RunStore(f"sqlite:///{tmp_path / 'runs.db'}", max_pending_bytes=40_000)
    store.create_run("run", CONFIG, "ann", 1.0)
    assert store.flush(LONG)
    with closing(locked(tmp_path / "runs.db")):
        for epoch in range(1, 101):
            store.append("run", block_of(epoch, 1))
            store.append("run", Checkpoint(epoch, 1.0, state + bytes([epoch])))
            if epoch == 50:
                eventually(lambda: not store.health.ok)
        assert not store.flush(0.1), "superseding is not saving"
    assert store.flush(LONG)
    assert store.health_of("run").ok, "no row had to give way"
    assert record_of(store).num_epochs == 100
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        assert connection.execute("SELECT epoch, state FROM checkpoints").fetchall() == [
            (100, state + bytes([100]))
        ]
    assert store.close()


def test_a_checkpoint_without_room_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = RunStore(f"sqlite:///{tmp_path / 'runs.db'}", max_pending_bytes=20_000)
    store.create_run("run", CONFIG, "ann", 1.0)
    small = checkpoint_of(3)
    with caplog.at_level(logging.WARNING):
        say(store, block_of(1, 3), small, block_of(4, 3))
        for epoch in (5, 6):
            say(store, Checkpoint(epoch, 1.0, bytes(20_000)))
    say(store, STOPPED)
    assert caplog.text.count("saved without a new checkpoint") == 1
    assert past_of(store).start.epoch == 3
    assert store.close()


def test_a_run_that_was_cut_is_saved_again_when_it_goes_on(tmp_path: Path) -> None:
    store = RunStore(f"sqlite:///{tmp_path / 'runs.db'}", max_pending_bytes=20_000)
    store.create_run("run", CONFIG, "ann", 1.0)
    say(store, block_of(1, 10), checkpoint_of(10))
    with closing(locked(tmp_path / "runs.db")):
        for first_epoch in range(11, 2011, 100):
            store.append("run", block_of(first_epoch, 100))
        store.append("run", checkpoint_of(2010))
    say(store, RunStopped(2010, 2.5, 0.5, 1.5))
    assert not record_of(store).is_complete
    past = past_of(store)
    assert past.start.epoch == 10
    store.resumption.take_up(past, now_of(past))
    say(store, block_of(11, 500))
    assert record_of(store).is_complete
    assert store.health_of("run").ok
    rows = store.rows("run")
    assert isinstance(rows, EpochBlock) and len(rows) == 510
    assert store.close()
