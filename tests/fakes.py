"""Stand-ins at the seams: engines that train nothing, and clocks that tests turn by hand."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import (
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
)
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.exchange_study import ExchangeStudy
from dpdash.core.scaling.variants import Variant
from dpdash.scaling.live import GONE
from dpdash.scaling.measure import ExchangeRounds, StudyRounds
from dpdash.scaling.messages import Fitted, Measured, Order
from dpdash.training.checkpoint import State
from dpdash.training.control import RunControl
from dpdash.training.engine import Availability, Emit
from dpdash.training.threads import AS_HERE
from dpdash.training.variants.measurer import MeasuringError
from dpdash.training.variants.steady import Steady


def block_of(first_epoch: int, num_epochs: int, seed: int = 0) -> EpochBlock:
    """A block of made-up epochs with the column types of an engine."""
    rng = np.random.default_rng((seed, first_epoch))
    measured = {name: rng.random(num_epochs, dtype=np.float32) for name in ("loss", "slope", "intercept")}
    seconds = np.arange(first_epoch, first_epoch + num_epochs) / 7
    return EpochBlock(first_epoch, **measured, learning_rate=np.full(num_epochs, 0.01), seconds=seconds)


def checkpoint_of(epoch: int) -> Checkpoint:
    """A checkpoint of a run that has nothing but its epochs."""
    return State(epoch, epoch / 7, 0.01, AS_HERE, (), {}).packed()


class FakeEngine:
    """Obeys its control like an engine; its epochs go by only while `gate` is set, or one by one when stepped.

    A step waits for `step_gate`, which is open unless a test closes it.
    """

    name = EngineName.SINGLE

    def __init__(self, failure: BaseException | None = None) -> None:
        self.gate = threading.Event()
        self.step_gate = threading.Event()
        self.step_gate.set()
        self.num_calls = 0
        self._failure = failure

    def availability(self, config: RunConfig) -> Availability:
        return Availability()

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        self.num_calls += 1
        emit(RunStarted(1.0, ("fake",), (config.samples,), emulated=False, one_device_step_seconds=None))
        epoch = start.epoch if start is not None else 0
        while epoch < config.epochs and control.stop_reason is None:
            rate = control.take_learning_rate()
            if rate is not None:
                emit(LearningRateChanged(epoch + 1, rate))
            control.take_trace()
            stepped = control.take_step()
            if stepped:
                self.step_gate.wait()
            if control.is_paused and not stepped:
                emit(RunPaused(epoch))
                control.wait_while_standing()
                if not control.is_paused and control.stop_reason is None:
                    emit(RunResumed(epoch))
            elif stepped or self.gate.is_set():
                if self._failure is not None and epoch == 3:
                    raise self._failure
                epoch += 1
                emit(block_of(epoch, 1))
            else:
                self.gate.wait(0.005)
        emit(checkpoint_of(epoch))
        if control.stop_reason is not None:
            emit(RunStopped(epoch, 2.5, 0.5, epoch / 7, control.stop_reason))
        else:
            emit(RunFinished(epoch, 3.0, 0.0, epoch / 7))


class FakeClock:
    """A clock that stands still until it is turned."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def eventually(condition: Callable[[], object], timeout: float = 30.0) -> None:
    """Wait until a condition of another thread or process holds; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.005)


class FakeMeasuring:
    """Measures nothing: a step takes what a test decides, whichever way it is done.

    While `gate` is closed it stands in the middle of a turn, until it is hung up.
    """

    def __init__(
        self,
        steps_per_second: Callable[[RunConfig], float],
        failure: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.turns: list[tuple[RunConfig, Variant]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.failure = failure
        self.is_hung_up = False
        self._steps_per_second = steps_per_second
        self._clock = clock

    def measure(self, order: Order[Any]) -> Iterator[Fitted | Measured]:
        self.is_hung_up = False
        kind = ExchangeRounds if isinstance(order.study, ExchangeStudy) else StudyRounds
        return kind(order, self._Measurer(self), lambda: 0.0, self._clock).measure()

    def hang_up(self) -> None:
        self.is_hung_up = True

    @dataclass
    class _Measurer:
        whole: "FakeMeasuring"

        def measure(self, config: RunConfig, variant: Variant, seconds: float) -> Steady:
            self.whole.turns.append((config, variant))
            while not self.whole.gate.wait(0.005):
                if self.whole.is_hung_up:
                    raise MeasuringError(GONE)
            if self.whole.failure:
                raise MeasuringError(self.whole.failure)
            return Steady(1 / self.whole._steps_per_second(config), 10)

        def exchange(self, way: ExchangeWay, num_bytes: int, num_ranks: int, seconds: float) -> Steady:
            config = RunConfig(engine=EngineName.DDP, replicas=num_ranks)
            self.measure(config, Variant.ENGINE, seconds)
            return Steady(1e-4 + 1e-9 * num_bytes, 10)


class LossEngine:
    """Trains nothing; the loss of each epoch is what a test decides.

    Runs that `waits` for stand after half of their epochs, until `gate` is set or they are stopped.
    """

    name = EngineName.SINGLE

    def __init__(
        self, loss: Callable[[RunConfig], float], waits: Callable[[RunConfig], bool] = lambda _config: False
    ) -> None:
        self.gate = threading.Event()
        self._loss = loss
        self._waits = waits

    def availability(self, config: RunConfig) -> Availability:
        return Availability()

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        emit(RunStarted(1.0, ("fake",), (config.samples,), emulated=False, one_device_step_seconds=None))
        half = config.epochs // 2
        self._train(config, 1, half, emit)
        while self._waits(config) and not self.gate.wait(0.005) and control.stop_reason is None:
            pass
        if control.stop_reason is not None:
            emit(RunStopped(half, 2.5, 0.5, half / 7, control.stop_reason))
            return
        self._train(config, half + 1, config.epochs - half, emit)
        emit(RunFinished(config.epochs, 3.0, 0.0, config.epochs / 7))

    def _train(self, config: RunConfig, first_epoch: int, num_epochs: int, emit: Emit) -> None:
        losses = np.full(num_epochs, self._loss(config), dtype=np.float32)
        emit(replace(block_of(first_epoch, num_epochs), loss=losses))
