import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.buckets import MEASURED
from dpdash.core.events import (
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunDiverged,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStatus,
    RunStopped,
)
from dpdash.core.history import History, HistorySnapshot
from tests.fakes import block_of
from tests.strategies import cuts_of, epoch_blocks

FEW_BUCKETS = 8
STARTED = RunStarted(1.0, ("cpu",), (10,), emulated=False, one_device_step_seconds=None)
ARRAYS = ("first", "last", "low", "high", "low_epoch", "high_epoch")


def folded(parts: Iterable[EpochBlock], num_buckets: int = FEW_BUCKETS) -> HistorySnapshot:
    history = History(num_buckets)
    for part in parts:
        history.fold(part)
    return history.snapshot()


@given(block=epoch_blocks(), data=st.data())
def test_a_history_does_not_depend_on_how_it_was_cut(block: EpochBlock, data: st.DataObject) -> None:
    whole, cut = folded([block]), folded(data.draw(cuts_of(block)))
    assert (whole.num_epochs, whole.width) == (cut.num_epochs, cut.width)
    for name in ARRAYS:
        assert np.array_equal(getattr(whole, name), getattr(cut, name)), name


@given(block=epoch_blocks(), data=st.data())
def test_extremes_of_every_bucket_are_exact(block: EpochBlock, data: st.DataObject) -> None:
    snapshot = folded(data.draw(cuts_of(block)))
    edges = zip(snapshot.first_epoch_of_bucket, snapshot.last_epoch_of_bucket, strict=True)
    for bucket, (first, last) in enumerate(edges):
        for index, name in enumerate(MEASURED):
            values = getattr(block, name)[first - 1 : last]
            assert snapshot.low[index, bucket] == values.min()
            assert snapshot.high[index, bucket] == values.max()
            assert snapshot.low_epoch[index, bucket] == first + np.argmin(values)
            assert snapshot.high_epoch[index, bucket] == first + np.argmax(values)


@given(block=epoch_blocks(), max_points=st.integers(4, 40), column=st.sampled_from(MEASURED))
def test_a_curve_is_bounded_and_true(block: EpochBlock, max_points: int, column: str) -> None:
    epochs, values = folded([block]).curve(column, max_points)
    given_values = getattr(block, column)
    assert len(epochs) == len(values) <= max_points
    assert np.array_equal(values, given_values[epochs - 1]), "a point that was never there"
    assert (np.diff(epochs) > 0).all()
    assert (epochs[0], epochs[-1]) == (1, len(block))
    assert values.min() == given_values.min()
    assert values.max() == given_values.max()


def test_a_short_run_is_drawn_whole() -> None:
    block = block_of(1, 500)
    epochs, values = folded([block], num_buckets=2048).curve("loss", 1000)
    assert np.array_equal(epochs, np.arange(1, 501))
    assert np.array_equal(values, block.loss)


@given(block=epoch_blocks(), epoch=st.integers(-5, 70))
def test_a_row_is_a_true_one_near_the_epoch_asked_for(block: EpochBlock, epoch: int) -> None:
    snapshot = folded([block])
    row = snapshot.row(epoch)
    assert row is not None
    assert row.loss == block.loss[row.epoch - 1]
    assert row.seconds == block.seconds[row.epoch - 1]
    wanted = min(max(epoch, 1), len(block))
    assert abs(row.epoch - wanted) <= snapshot.width // 2
    if snapshot.width == 1:
        assert row.epoch == wanted


@given(block=epoch_blocks(), max_rows=st.integers(2, 30))
def test_rows_are_spread_from_the_first_to_the_latest(block: EpochBlock, max_rows: int) -> None:
    snapshot = folded([block])
    rows = snapshot.rows(max_rows)
    assert len(rows) <= max_rows
    assert rows[0].epoch == 1
    assert rows[-1] == snapshot.latest
    assert rows[-1].epoch == len(block)
    assert [row.epoch for row in rows] == sorted({row.epoch for row in rows})


def test_memory_does_not_grow_with_the_run() -> None:
    history = History()
    sizes = set()
    for first_epoch in range(1, 1_000_000, 20_000):
        history.fold(block_of(first_epoch, 20_000))
        buckets = history._buckets
        sizes.add(sum(getattr(buckets, name).nbytes for name in ARRAYS))
        assert buckets.used <= 2048
    assert len(sizes) == 1
    assert history.snapshot().num_epochs == 1_000_000


def test_an_empty_history_has_nothing_to_show() -> None:
    snapshot = History().snapshot()
    assert (snapshot.status, snapshot.num_epochs) == (RunStatus.WAITING, 0)
    assert (snapshot.latest, snapshot.line, snapshot.row(1), snapshot.rows(5)) == (None, None, None, ())
    assert (snapshot.seconds, snapshot.epochs_per_second) == (0.0, None)


def test_status_follows_the_events() -> None:
    history = History()
    seen = []
    for event in (STARTED, block_of(1, 3), RunPaused(3), RunResumed(3), RunFinished(3, 3.0, 0.0, 1.0)):
        history.fold(event)
        seen.append(history.snapshot().status.value)
    assert seen == ["running", "running", "paused", "running", "finished"]


def test_the_line_is_the_result_when_there_is_one() -> None:
    history = History()
    history.fold(STARTED)
    history.fold(block := block_of(1, 3))
    last_row = (float(block.slope[-1]), float(block.intercept[-1]))
    assert history.snapshot().line == last_row
    history.fold(RunFinished(3, 2.5, 0.25, 1.0))
    assert history.snapshot().line == (2.5, 0.25)


def test_a_diverged_run_keeps_the_line_of_its_last_row() -> None:
    history = History()
    history.fold(block := block_of(1, 3))
    history.fold(RunDiverged(3, 4, 1.0))
    assert history.snapshot().line == (float(block.slope[-1]), float(block.intercept[-1]))


def test_a_run_that_was_stopped_before_its_first_epoch_has_no_line() -> None:
    history = History()
    history.fold(RunStopped(0, math.nan, math.nan, 0.0))
    assert history.snapshot().line is None


def test_a_snapshot_never_changes_and_is_made_once() -> None:
    history = History()
    history.fold(block_of(1, 3))
    before = history.snapshot()
    assert history.snapshot() is before
    first = before.first.copy()
    history.fold(block_of(4, 3))
    history.fold(LearningRateChanged(7, 0.5))
    assert np.array_equal(before.first, first)
    assert (before.num_epochs, before.learning_rate_changes) == (3, ())
    assert history.snapshot().version > before.version


def test_rows_may_come_later_and_all_else_may_not() -> None:
    now = 0.0
    history = History(clock=lambda: now)
    assert history.snapshot(1.0).num_epochs == 0
    history.fold(block_of(1, 3))
    first = history.snapshot(1.0)
    assert first.num_epochs == 3, "the first rows are never kept back"
    history.fold(block_of(4, 3))
    now = 0.9
    assert history.snapshot(1.0) is first
    assert history.snapshot().num_epochs == 6
    history.fold(block_of(7, 1))
    assert history.snapshot(1.0).num_epochs == 6
    now = 2.0
    assert history.snapshot(1.0).num_epochs == 7
    history.fold(block_of(8, 1))
    history.fold(LearningRateChanged(9, 0.5))
    told = history.snapshot(1.0)
    assert (told.num_epochs, len(told.learning_rate_changes)) == (8, 1)
    history.fold(block_of(9, 1))
    history.mark_interrupted()
    assert (history.snapshot(1.0).num_epochs, history.snapshot(1.0).status) == (9, RunStatus.INTERRUPTED)


def test_a_missing_block_is_a_mistake() -> None:
    history = History()
    history.fold(block_of(1, 3))
    with pytest.raises(AssertionError, match="a block is missing"):
        history.fold(block_of(5, 3))


def test_speed_is_that_of_the_latest_epochs() -> None:
    seconds = np.concatenate([np.arange(1, 101) / 10, 10 + np.arange(1, 101) / 1000])
    same = np.ones(200, dtype=np.float32)
    block = EpochBlock(1, same, same, same, np.full(200, 0.01), seconds)
    assert folded([block], num_buckets=2048).epochs_per_second == pytest.approx(1000)


@pytest.mark.parametrize("end", [RunFinished(200, 3.0, 0.0, 10.1), None])
def test_speed_of_a_run_that_is_over_is_that_of_all_of_it(end: RunFinished | None) -> None:
    seconds = np.concatenate([np.arange(1, 101) / 10, 10 + np.arange(1, 101) / 1000])
    same = np.ones(200, dtype=np.float32)
    history = History(2048)
    history.fold(STARTED)
    history.fold(EpochBlock(1, same, same, same, np.full(200, 0.01), seconds))
    if end is None:
        history.mark_interrupted()
    else:
        history.fold(end)
    assert history.snapshot().epochs_per_second == pytest.approx(200 / 10.1)


def test_interrupted_is_a_status_of_its_own() -> None:
    history = History()
    history.fold(STARTED)
    history.mark_interrupted()
    assert history.snapshot().status is RunStatus.INTERRUPTED
    assert history.snapshot().status.is_over


def test_a_checkpoint_is_nothing_that_anybody_sees() -> None:
    history = History()
    history.fold(block_of(1, 3))
    before = history.snapshot()
    history.fold(Checkpoint(3, 1.0, b"state"))
    assert history.snapshot() is before


def test_a_run_that_is_to_go_on_waits_with_its_curve() -> None:
    history = History()
    for event in (STARTED, block_of(1, 3)):
        history.fold(event)
    history.mark_waiting()
    shown = history.snapshot()
    assert (shown.status, shown.num_epochs, shown.ended) == (RunStatus.WAITING, 3, None)


def test_a_run_that_went_on_and_has_no_line_of_its_end_has_that_of_its_last_row() -> None:
    history = History()
    for event in (block := block_of(1, 3), RunStopped(3, float("nan"), float("nan"), 1.0)):
        history.fold(event)
    assert history.snapshot().line == (block.slope[-1], block.intercept[-1])
