"""The training loop, once for all engines.

Events leave it through a generator, so that what the receiver of an event raises never looks like a failure of
training: it surfaces at the receiver, and the generator is closed.
"""

import math
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dpdash.config import RunConfig
from dpdash.engines.base import Emit
from dpdash.engines.control import RunControl
from dpdash.engines.failures import sentence
from dpdash.engines.lock_step import in_step
from dpdash.engines.placement import Placement
from dpdash.engines.setup import Training, batch_size, measured_step_seconds, set_up
from dpdash.engines.shard_tracer import ShardTracer
from dpdash.engines.step_tracer import StepTracer
from dpdash.events import (
    EpochBlock,
    LearningRateChanged,
    RunDiverged,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    StepTraced,
    TerminalEvent,
)
from dpdash.problem.data import Data, as_column, draw
from dpdash.problem.model import build_model
from dpdash.sharding import shard_sizes

FLUSH_SECONDS: Final = 0.05
"""Rows leave the loop this often: 20 times a second looks continuous and costs next to nothing."""

Events = Generator[RunEvent, None, TerminalEvent]
T = TypeVar("T")


def train(
    config: RunConfig,
    emit: Emit,
    control: RunControl,
    place: Callable[[], Placement],
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Train a run to its end; see `Engine.run`.

    `place` says where to train; it is called here, so that its failure is the run's. `clock` gives seconds.
    """
    with closing(_events(config, control, place, clock)) as events:
        for event in events:
            emit(event)


@dataclass(slots=True)
class _Progress:
    """What has been said so far; outlives the tensors of the run."""

    num_epochs: int = 0
    seconds: float = 0.0


def _events(
    config: RunConfig, control: RunControl, place: Callable[[], Placement], clock: Callable[[], float]
) -> Generator[RunEvent, None, None]:
    """All events of a run; the last is the terminal one."""
    progress = _Progress()
    ending: TerminalEvent
    try:
        ending = yield from _train(config, control, place(), clock, progress)
    except _DivergedError as error:
        ending = RunDiverged(progress.num_epochs, error.epoch, progress.seconds)
    except Exception as error:
        ending = RunFailed(progress.num_epochs, sentence(error), traceback.format_exc(), progress.seconds)
    finally:
        # The tensors died with the frame that held them; other runs need what torch keeps of their memory.
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()
    yield ending


def drawn_on(config: RunConfig, device: torch.device) -> tuple[Data, nn.Module]:
    """The data of a run and its untrained model, on the device that trains."""
    data = draw(config)
    model = build_model(config, data.generator).to(device)
    x, y = data.x.to(device), data.y.to(device)
    return replace(data, x=as_column(x) if device.type == "cpu" else x, y=y), model


def _train(
    config: RunConfig, control: RunControl, placement: Placement, clock: Callable[[], float], progress: _Progress
) -> Events:
    data, model = drawn_on(config, placement.device)
    distribute, ranks = placement.distribute, placement.ranks
    alone = together = None
    if distribute is not None:
        # The other ranks wait meanwhile: they would share what one device has to itself.
        if ranks is None or ranks.is_leader:
            alone = measured_step_seconds(config, data, model)
        together = measured_step_seconds(config, data, model, distribute, ranks)
    with nullcontext(model) if distribute is None else distribute(model) as distributed:
        training = set_up(config, data, model, distributed, ranks)
        yield RunStarted(
            started_at=time.time(),
            devices=placement.names,
            shard_sizes=shard_sizes(batch_size(config), len(placement.names)),
            emulated=placement.emulated,
            one_device_step_seconds=alone,
            replicas_step_seconds=together,
        )
        tracer: StepTracer | ShardTracer
        if ranks is None:
            tracer = StepTracer(config, data, model, placement)
        else:
            tracer = ShardTracer(config, data, model, placement)
            training = in_step(training, ranks, tracer.take_part)
        return (yield from _Loop(config, control, training, tracer, clock, progress).run())


class _DivergedError(Exception):
    """The row of this epoch, or the line after it, is not finite."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch


class _Loop:
    """Trains epoch after epoch, gathers their rows, and obeys commands in between."""

    def __init__(
        self,
        config: RunConfig,
        control: RunControl,
        training: Training,
        tracer: StepTracer | ShardTracer,
        clock: Callable[[], float],
        progress: _Progress,
    ) -> None:
        self._tracer = tracer
        self._epochs = config.epochs
        self._learning_rate = config.learning_rate
        self._control, self._training, self._clock, self._progress = control, training, clock, progress
        self._num_epochs = 0
        """Epochs trained; those in `progress` have been emitted too."""
        self._seconds = np.empty(training.rows.capacity)
        self._origin = clock()
        """The reading of the clock from which training seconds are counted; each wait moves it on."""
        self._flush_at = self._origin
        self._paused_at: int | None = None
        """The epoch after which the run last said that it stands; None while it goes."""

    def run(self) -> Events:
        """Train to the end.

        Raises:
            _DivergedError: if a row or the final line is not finite.
        """
        yield from self._trace()
        while self._num_epochs < self._epochs:
            if (self._control.needs_attention or self._paused_at is not None) and not (yield from self._obey()):
                break
            self._train_stretch()
            if self._num_pending == len(self._seconds) or self._clock() >= self._flush_at:
                yield from self._flush()
        yield from self._flush()
        slope, intercept = self._training.observer.line_now()
        if not (math.isfinite(slope) and math.isfinite(intercept)):
            raise _DivergedError(self._num_epochs)
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
        end = min(len(seconds), self._epochs - self._progress.num_epochs)
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
            _DivergedError: after that, if there is one.
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
            yield EpochBlock(
                first_epoch, loss, slope, intercept, np.full(num_finite, self._learning_rate), seconds
            )
        if num_finite < num_rows:
            raise _DivergedError(first_epoch + num_finite)
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
            if control.take_trace():
                yield from self._trace()
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
        if value is None or value == self._learning_rate:
            return
        yield from self._flush()
        self._learning_rate = value
        for group in self._training.optimizer.param_groups:
            group["lr"] = value
        yield LearningRateChanged(self._num_epochs + 1, value)

    def _trace(self) -> Iterator[RunEvent]:
        """Take the next step apart. What that takes is none of the training's time."""
        yield from self._flush()
        trace = self._wait(lambda: self._tracer.attempt(self._training.optimizer))
        if trace is not None:
            yield StepTraced(self._num_epochs + 1, trace)

    def _stand(self) -> Iterator[RunEvent]:
        yield from self._flush()
        if self._paused_at != self._num_epochs:
            self._paused_at = self._num_epochs
            yield RunPaused(self._num_epochs)
        self._wait(self._control.wait_while_standing)

    def _wait(self, wait: Callable[[], T]) -> T:
        began = self._clock()
        result = wait()
        self._origin += self._clock() - began
        return result
