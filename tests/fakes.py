"""Stand-ins at the seams: engines that train nothing, and clocks that tests turn by hand."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import (
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
)
from dpdash.training.checkpoint import State
from dpdash.training.control import RunControl
from dpdash.training.engine import Availability, Emit
from dpdash.training.processes.handle import PROCESS_GONE
from dpdash.training.threads import AS_HERE


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


class FakeTrainer:
    """Trains nothing, at a rate that a test decides; its seconds are made up, so that nobody waits for them.

    Its first block is slower, as that of a real run is. While `gate` is closed it stands in the middle of a run,
    until it is stopped or hung up.
    """

    EPOCHS_PER_BLOCK = 10
    WARM_UP_SECONDS = 0.15

    def __init__(
        self, steps_per_second: Callable[[RunConfig], float], *said_first: RunEvent, failure: str = ""
    ) -> None:
        self.configs: list[RunConfig] = []
        self.gate = threading.Event()
        self.gate.set()
        self.is_ended = False
        self._steps_per_second = steps_per_second
        self._said_first = said_first
        self._failure = failure
        self._hung_up = threading.Event()

    def run(self, config: RunConfig, emit: Emit, control: RunControl) -> None:
        self.configs.append(config)
        emulated = config.engine is EngineName.CPU_REPLICAS
        emit(RunStarted(1.0, ("fake",), (config.samples,), emulated, one_device_step_seconds=None))
        for event in self._said_first:
            emit(event)
        epoch, rate = 0, self._steps_per_second(config)
        while control.stop_reason is None and not self._failure:
            if not self.gate.wait(0.005):
                if self._hung_up.is_set():
                    emit(RunFailed(epoch, PROCESS_GONE, ""))
                    return
                continue
            part = block_of(epoch + 1, self.EPOCHS_PER_BLOCK)
            seconds = np.arange(epoch + 1, epoch + 1 + self.EPOCHS_PER_BLOCK) / rate
            emit(replace(part, seconds=self.WARM_UP_SECONDS + seconds))
            epoch = part.last_epoch
        if self._failure:
            emit(RunFailed(epoch, self._failure, ""))
        else:
            assert control.stop_reason is not None
            seconds_taken = self.WARM_UP_SECONDS + epoch / rate
            emit(RunStopped(epoch, 2.5, 0.5, seconds_taken, control.stop_reason))

    @property
    def is_gone(self) -> bool:
        return self._hung_up.is_set()

    def hang_up(self) -> None:
        self._hung_up.set()

    def end(self) -> None:
        self.is_ended = True


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
