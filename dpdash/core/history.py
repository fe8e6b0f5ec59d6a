"""A run's curve in constant memory: folded from the run's events, cheap to read from another thread.

Epochs fall into at most `num_buckets` buckets of equal width. Each bucket keeps its first and last row and the
exact extremes of loss, slope and intercept with their epochs; when the buckets are full, neighbours merge and
the width doubles. The result depends on the rows alone, not on how they were cut into blocks.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dpdash.core.buckets import MEASURED, Buckets
from dpdash.core.events import (
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunDiverged,
    RunEvent,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStatus,
    RunStopped,
    StepTraced,
    TerminalEvent,
    status_after,
)

NUM_BUCKETS: Final = 2048
RATE_BUCKETS: Final = 32
"""The speed shown is that of the last so many buckets: long enough to be steady, short enough to be current."""

Floats = NDArray[np.float64]
Epochs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """One epoch: its loss, the line that gave it, and the learning rate that the update then used."""

    epoch: int
    loss: float
    slope: float
    intercept: float
    learning_rate: float
    seconds: float


def mean_speed(num_epochs: int, seconds: float) -> float | None:
    """Epochs a second of a whole run, pauses and pacing left out; None where nobody knows how long it took."""
    return num_epochs / seconds if num_epochs and seconds > 0 else None


@dataclass(frozen=True, eq=False)
class HistorySnapshot:
    """A history at one moment; nothing in it ever changes.

    `first` and `last` have the shape (columns, buckets), `low` and `high` (loss, slope, intercept; buckets).
    """

    version: int
    status: RunStatus
    num_epochs: int
    width: int
    first: Floats
    last: Floats
    low: Floats
    high: Floats
    low_epoch: Epochs
    high_epoch: Epochs
    started: RunStarted | None
    ended: TerminalEvent | None
    learning_rate_changes: tuple[LearningRateChanged, ...]
    traced: StepTraced | None = None
    """The step that was last taken apart."""

    @cached_property
    def first_epoch_of_bucket(self) -> Epochs:
        return np.arange(self.first.shape[1], dtype=np.int64) * self.width + 1

    @cached_property
    def last_epoch_of_bucket(self) -> Epochs:
        return np.minimum(self.first_epoch_of_bucket + self.width - 1, self.num_epochs)

    @property
    def latest(self) -> Row | None:
        """The row of the last epoch trained."""
        return self._row(self.num_epochs, self.last[:, -1]) if self.num_epochs else None

    @property
    def best_loss(self) -> float | None:
        """The lowest loss of any epoch so far."""
        return float(self.low[MEASURED.index("loss")].min()) if self.num_epochs else None

    @property
    def line(self) -> tuple[float, float] | None:
        """Slope and intercept now: after the last update when the run is over, else the last row's."""
        ended = self.ended
        # One that went on and was ended before its model was there has no other line than that of its last row.
        if isinstance(ended, RunFinished | RunStopped) and self.num_epochs and math.isfinite(ended.slope):
            return ended.slope, ended.intercept
        latest = self.latest
        return (latest.slope, latest.intercept) if latest else None

    @property
    def seconds(self) -> float:
        """Seconds of training so far, pauses and pacing left out."""
        return self.latest.seconds if self.latest else 0.0

    @property
    def epochs_per_second(self) -> float | None:
        """Training speed, pauses and pacing left out: now, or of the whole run once it is over; None before."""
        if self.status.is_over:
            return mean_speed(self.num_epochs, self.seconds)
        if self.num_epochs < 2:
            return None
        bucket = max(0, self.first.shape[1] - RATE_BUCKETS)
        num_epochs = self.num_epochs - int(self.first_epoch_of_bucket[bucket])
        seconds = self.last[-1, -1] - self.first[-1, bucket]
        return num_epochs / seconds if num_epochs and seconds > 0 else None

    def row(self, epoch: int) -> Row | None:
        """The kept row nearest to an epoch: exact while buckets are one epoch wide."""
        if not self.num_epochs:
            return None
        epoch = min(max(epoch, 1), self.num_epochs)
        bucket = (epoch - 1) // self.width
        first, last = int(self.first_epoch_of_bucket[bucket]), int(self.last_epoch_of_bucket[bucket])
        if epoch - first <= last - epoch:
            return self._row(first, self.first[:, bucket])
        return self._row(last, self.last[:, bucket])

    def curve(self, column: str, max_points: int) -> tuple[Epochs, Floats]:
        """A column over the epochs in at most `max_points` (≥ 4), with the exact first, last and extremes."""
        index = MEASURED.index(column)
        num_buckets = self.first.shape[1]
        if self.width == 1 and num_buckets <= max_points:
            return self.first_epoch_of_bucket, self.first[index]
        group = -(-num_buckets // (max_points // 4))
        starts = np.arange(0, num_buckets, group)
        ends = np.minimum(starts + group, num_buckets) - 1
        low, low_epoch = _grouped(self.low[index], self.low_epoch[index], starts)
        high, high_epoch = _grouped(-self.high[index], self.high_epoch[index], starts)
        epochs = np.stack(
            [self.first_epoch_of_bucket[starts], low_epoch, high_epoch, self.last_epoch_of_bucket[ends]]
        )
        values = np.stack([self.first[index, starts], low, -high, self.last[index, ends]])
        flat_epochs, where = np.unique(epochs.ravel(), return_index=True)
        return flat_epochs, values.ravel()[where]

    def rows(self, max_rows: int) -> tuple[Row, ...]:
        """Rows spread evenly over the epochs so far, the first and the latest among them."""
        epochs, values = self.spread(max_rows)
        return tuple(Row(epoch, *row) for epoch, row in zip(epochs.tolist(), values.T.tolist(), strict=True))

    def spread(self, max_rows: int) -> tuple[Epochs, Floats]:
        """The same rows as arrays: their epochs, and their columns in the order of `COLUMNS`; (columns, rows)."""
        num_buckets = self.first.shape[1]
        num_rows = min(max_rows, num_buckets)
        buckets = np.arange(num_rows) * (num_buckets - 1) // max(num_rows - 1, 1)
        epochs, values = buckets * self.width + 1, self.first[:, buckets]
        if num_rows and epochs[-1] != self.num_epochs:
            kept = min(num_rows, max_rows - 1)
            epochs = np.append(epochs[:kept], self.num_epochs)
            values = np.column_stack([values[:, :kept], self.last[:, -1]])
        return epochs, values

    @staticmethod
    def _row(epoch: int, values: Floats) -> Row:
        return Row(epoch, *(float(value) for value in values))


def _grouped(values: Floats, epochs: Epochs, starts: Epochs) -> tuple[Floats, Epochs]:
    """Minimum of each group of buckets, with the epoch of its first occurrence."""
    best = np.minimum.reduceat(values, starts)
    sizes = np.diff(np.append(starts, len(values)))
    groups = np.repeat(np.arange(len(starts)), sizes)
    hits = np.flatnonzero(values == np.repeat(best, sizes))
    _, first_hit = np.unique(groups[hits], return_index=True)
    return best, epochs[hits[first_hit]]


class History:
    """Folds a run's events; one thread writes, any thread takes snapshots."""

    def __init__(self, num_buckets: int = NUM_BUCKETS, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds and never jumps."""
        self._lock = threading.Lock()
        self._buckets = Buckets(num_buckets)
        self._clock = clock
        self._version = 0
        self._told_version = 0
        """The version with the latest event that says more than further rows."""
        self._status = RunStatus.WAITING
        self._started: RunStarted | None = None
        self._ended: TerminalEvent | None = None
        self._changes: list[LearningRateChanged] = []
        self._traced: StepTraced | None = None
        self._snapshot: HistorySnapshot | None = None
        self._taken_at = 0.0

    def fold(self, event: RunEvent) -> None:
        """Take in the next event of the run; a checkpoint is nothing that anybody sees."""
        if isinstance(event, Checkpoint):
            return
        with self._lock:
            self._version += 1
            self._status = status_after(event) or self._status
            if not isinstance(event, EpochBlock):
                self._told_version = self._version
            match event:
                case EpochBlock():
                    assert event.first_epoch == self._buckets.num_epochs + 1, "a block is missing"
                    if len(event):
                        self._buckets.push(event)
                case RunStarted():
                    self._started = event
                case LearningRateChanged():
                    self._changes.append(event)
                case StepTraced():
                    self._traced = event
                case RunFinished() | RunStopped() | RunDiverged() | RunFailed():
                    self._ended = event
                case _:
                    pass

    def mark_interrupted(self) -> None:
        """Say that the process that trained this run died."""
        self._mark(RunStatus.INTERRUPTED)

    def mark_waiting(self) -> None:
        """Say that this run is to go on, and has not begun to yet."""
        self._mark(RunStatus.WAITING)

    def snapshot(self, max_age_seconds: float = 0.0) -> HistorySnapshot:
        """The history as it is now; the same object until the next event.

        With `max_age_seconds`, the latest rows may be missing for so long, so that pages which look at about the
        same time get the same object. The first rows, and whatever else a run says, are there at once.
        """
        with self._lock:
            if self._snapshot is None or not self._is_recent(self._snapshot, max_age_seconds):
                self._snapshot = self._take()
                self._taken_at = self._clock()
            return self._snapshot

    def _mark(self, status: RunStatus) -> None:
        with self._lock:
            self._version += 1
            self._told_version = self._version
            self._status = status

    def _is_recent(self, snapshot: HistorySnapshot, max_age_seconds: float) -> bool:
        if snapshot.version == self._version:
            return True
        is_told = snapshot.num_epochs > 0 and snapshot.version >= self._told_version
        return is_told and self._clock() - self._taken_at < max_age_seconds

    def _take(self) -> HistorySnapshot:
        buckets, used = self._buckets, self._buckets.used
        return HistorySnapshot(
            version=self._version,
            status=self._status,
            num_epochs=buckets.num_epochs,
            width=buckets.width,
            first=buckets.first[:, :used].copy(),
            last=buckets.last[:, :used].copy(),
            low=buckets.low[:, :used].copy(),
            high=buckets.high[:, :used].copy(),
            low_epoch=buckets.low_epoch[:, :used].copy(),
            high_epoch=buckets.high_epoch[:, :used].copy(),
            started=self._started,
            ended=self._ended,
            learning_rate_changes=tuple(self._changes),
            traced=self._traced,
        )
