"""Epoch after epoch, and what a run says and obeys in between; `run.py` has what is around it."""

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from dpdash.core.config import RunConfig
from dpdash.core.events import (
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunEvent,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStopped,
    StepTraced,
    TerminalEvent,
)
from dpdash.training.control import RunControl
from dpdash.training.loop.placement import Tracer
from dpdash.training.loop.setup import Training
from dpdash.training.trace.turns import Wish

FLUSH_SECONDS: Final = 0.05
"""Rows leave the loop this often: 20 times a second looks continuous and costs next to nothing."""
CHECKPOINT_SECONDS: Final = 2.0
"""Between two checkpoints: a run that is killed trains so much again."""
CHECKPOINT_SHARE: Final = 0.005
"""Of the time, at most so much goes into them where the run trains."""
CHECKPOINT_BYTES_PER_SECOND: Final = 2 * 2**20
"""At most so much on the way to the database: what it costs there is not known here."""

Events = Generator[RunEvent, None, TerminalEvent]
T = TypeVar("T")


@dataclass(slots=True)
class Progress:
    """What has been said so far; outlives the tensors of the run."""

    num_epochs: int
    seconds: float


class DivergedError(Exception):
    """The row of this epoch, or the line after it, is not finite."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch


class EpochLoop:
    """Trains epoch after epoch, gathers their rows, and obeys commands in between."""

    def __init__(
        self,
        config: RunConfig,
        control: RunControl,
        training: Training,
        tracer: Tracer,
        clock: Callable[[], float],
        progress: Progress,
    ) -> None:
        self._tracer = tracer
        self._epochs = config.epochs
        self._control, self._training, self._clock, self._progress = control, training, clock, progress
        self._rates = training.keeper.rates
        self._num_epochs = self._num_kept = progress.num_epochs
        """Epochs trained, and those of the newest checkpoint; those in `progress` have been emitted too."""
        self._seconds = np.empty(training.rows.capacity)
        began = clock()
        self._origin = began - progress.seconds
        """The reading of the clock from which training seconds are counted; each wait moves it on."""
        self._flush_at = began
        self._keep_at = began + CHECKPOINT_SECONDS
        self._paused_at: int | None = None
        """The epoch after which the run last said that it stands; None while it goes."""

    def run(self) -> Events:
        """Train to the end.

        Raises:
            DivergedError: if a row or the final line is not finite.
        """
        while self._num_epochs < self._epochs:
            self._rates.enter(self._num_epochs + 1)
            for change in self._rates.replays_at(self._num_epochs + 1):
                yield from self._flush()
                self._rates.replay(change)
                yield change
            if (self._control.needs_attention or self._paused_at is not None) and not (yield from self._obey()):
                break
            self._train_stretch()
            if self._num_pending == len(self._seconds) or self._clock() >= self._flush_at:
                yield from self._flush()
                if self._clock() >= self._keep_at:
                    yield from self._keep()
        yield from self._flush()
        slope, intercept = self._training.observer.line_now()
        if not (math.isfinite(slope) and math.isfinite(intercept)):
            raise DivergedError(self._num_epochs)
        yield from self._keep()
        if self._num_epochs == self._epochs:
            return RunFinished(self._num_epochs, slope, intercept, self._progress.seconds)
        reason = self._control.stop_reason
        assert reason is not None
        return RunStopped(self._num_epochs, slope, intercept, self._progress.seconds, reason)

    @property
    def _num_pending(self) -> int:
        """Rows that wait for the next flush."""
        return self._num_epochs - self._progress.num_epochs

    def _train_stretch(self) -> None:
        """Train until rows are due or a command has come; one epoch at least. This is the hot path."""
        train, clock, control = self._training.trainer.train, self._clock, self._control
        seconds, origin, flush_at = self._seconds, self._origin, self._flush_at
        row = self._num_pending
        last_epoch = self._rates.steady_until(self._num_epochs + 1, self._epochs)
        end = min(len(seconds), last_epoch - self._progress.num_epochs)
        if self._paused_at is not None:
            end = row + 1
        while row < end:
            train(row)
            now = clock()
            seconds[row] = now - origin
            row += 1
            self._num_epochs += 1
            if now >= flush_at or control.needs_attention:
                break

    def _flush(self) -> Iterator[EpochBlock]:
        """Send the rows that wait, up to the first that is not finite.

        Raises:
            DivergedError: after that, if there is one.
        """
        num_rows, progress = self._num_pending, self._progress
        if not num_rows:
            return
        rows = self._training.rows.take(num_rows)
        rows[:, 0] = self._training.trainer.losses(rows)
        finite = np.isfinite(rows).all(axis=1)
        num_finite = num_rows if finite.all() else int(finite.argmin())
        seconds = self._row_seconds(num_rows)[:num_finite]
        first_epoch = progress.num_epochs + 1
        if num_finite:
            progress.num_epochs += num_finite
            progress.seconds = float(seconds[-1])
            loss, slope, intercept = np.ascontiguousarray(rows[:num_finite].T)
            rates = self._rates.of(first_epoch, num_finite)
            yield EpochBlock(first_epoch, loss, slope, intercept, rates, seconds)
        if num_finite < num_rows:
            raise DivergedError(first_epoch + num_finite)
        self._flush_at = self._clock() + FLUSH_SECONDS

    def _row_seconds(self, num_rows: int) -> NDArray[np.float64]:
        """When each waiting row was done. To be called once they are taken, because that waits for the device."""
        if self._training.rows.is_on_cpu:
            return self._seconds[:num_rows].copy()
        # The CPU runs ahead of a GPU, so its clock knows only when the last row was done.
        now = self._clock() - self._origin
        return np.linspace(self._progress.seconds, now, num_rows + 1)[1:]

    def _obey(self) -> Generator[RunEvent, None, bool]:
        """Do what is asked for, waiting where that is asked for; whether to train another epoch then."""
        control = self._control
        while control.stop_reason is None:
            num_commands = control.num_commands
            yield from self._apply_learning_rate()
            if self._trace_is_due():
                yield from self._trace()
                continue
            if control.is_paused:
                if control.take_step():
                    return True
                yield from self._stand()
                continue
            if self._paused_at is not None:
                self._paused_at = None
                yield RunResumed(self._num_epochs)
            delay = control.pace_delay(self._clock())
            if delay == 0:
                return True
            if self._clock() + delay >= self._flush_at:
                yield from self._flush()
            self._wait(partial(control.wait, delay, num_commands))
        return False

    def _apply_learning_rate(self) -> Iterator[RunEvent]:
        value = self._control.take_learning_rate()
        if value is None:
            return
        yield from self._flush()
        if self._rates.ask(value, self._num_epochs):
            yield LearningRateChanged(self._num_epochs + 1, value)

    def _trace_is_due(self) -> bool:
        """Whether a trace is asked for; one that is bounded waits until the run has a first point to show."""
        seconds = self._control.trace_seconds
        if seconds is None:
            return False
        return seconds == math.inf or self._progress.num_epochs > 0 or self._control.is_paused

    def _trace(self) -> Iterator[RunEvent]:
        """Take the next step apart. What that takes is none of the training's time."""
        yield from self._flush()
        wish = Wish(self._control.take_trace(), lambda: self._control.stop_reason is None)
        trace = self._wait(lambda: self._tracer.attempt(self._training.optimizer, wish))
        if trace is not None:
            yield StepTraced(self._num_epochs + 1, trace)

    def _keep(self) -> Iterator[Checkpoint]:
        """Take a checkpoint, once all rows are sent, unless there is one of this very epoch."""
        if self._num_kept == self._num_epochs:
            return
        self._num_kept = self._num_epochs
        began = self._clock()
        keeper, progress = self._training.keeper, self._progress
        checkpoint = self._wait(lambda: keeper.take(progress.num_epochs, progress.seconds))
        num_bytes = 0
        if checkpoint is not None:
            num_bytes = len(checkpoint.state)
            yield checkpoint
        now = self._clock()
        spacing = ((now - began) / CHECKPOINT_SHARE, num_bytes / CHECKPOINT_BYTES_PER_SECOND)
        self._keep_at = now + max(CHECKPOINT_SECONDS, *spacing)

    def _stand(self) -> Iterator[RunEvent]:
        yield from self._flush()
        yield from self._keep()
        if self._paused_at != self._num_epochs:
            self._paused_at = self._num_epochs
            yield RunPaused(self._num_epochs)
        self._wait(self._control.wait_while_standing)

    def _wait(self, wait: Callable[[], T]) -> T:
        began = self._clock()
        result = wait()
        self._origin += self._clock() - began
        return result
