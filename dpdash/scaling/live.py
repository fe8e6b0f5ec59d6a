"""A study that is being measured: a thread that waits, and a process of its own that trains."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_
from dpdash.core.scaling.study import Measurement, Study, StudyStatus
from dpdash.scaling.measure import MeasuringError, measure, turns
from dpdash.training.control import RunControl
from dpdash.training.engine import Emit
from dpdash.training.processes.child import started
from dpdash.training.processes.handle import TrainingProcess

MODULE: Final = "dpdash.scaling.process"
THREADS_PER_REPLICA: Final = 1
"""Of an operation: a replica is the work of one core, also where it is the only one."""
START_SECONDS: Final = 60.0
END_SECONDS: Final = 3.0
"""What a run is given to stop by itself: it looks up between two epochs, and an epoch may be long."""
USUAL_OVERHEAD_SECONDS: Final = 0.5
"""What a measurement takes beside its own time, until it is known."""
GONE: Final = N_(
    "The process that measured ended before the study did; perhaps it was killed because memory was short. What "
    "was measured is kept. Press Start to measure again, with fewer samples if it happens again."
)
NOT_STARTED: Final = N_("The process that measures could not be started. Press Start to try again.")

_log = logging.getLogger(__name__)


class Trainer(Protocol):
    """Trains runs somewhere, one at a time."""

    @property
    def is_gone(self) -> bool: ...

    def run(self, config: RunConfig, emit: Emit, control: RunControl) -> None: ...

    def hang_up(self) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True, slots=True)
class StudySnapshot:
    """A study at a moment."""

    study: Study
    seconds_left: float | None
    """About; None when it is over."""
    is_cancelling: bool
    is_elsewhere: bool = False
    """Whether another process measures it."""
    was_left: bool = False
    """Whether the process that measured it ended before it was over."""

    @property
    def num_measured(self) -> int:
        return len(self.study.measurements)


def measuring_process() -> Trainer:
    """A process of its own, ready to train.

    Raises:
        MeasuringError: when there can be none.
    """
    try:
        process = TrainingProcess(started(MODULE, THREADS_PER_REPLICA), lambda _process: None)
    except OSError:
        raise MeasuringError(NOT_STARTED) from None
    process.wait_until_ready(START_SECONDS)
    if not process.is_ready:
        process.hang_up()
        process.end()
        raise MeasuringError(NOT_STARTED)
    return process


class LiveStudy:
    """Measures a study in a thread of its own; safe for threads."""

    def __init__(
        self,
        study: Study,
        longest_seconds: float | None = None,
        keep: Callable[[Study], None] = lambda _study: None,
        start_trainer: Callable[[], Trainer] = measuring_process,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`keep` is given the study after each measurement and at its end, on the thread that measures."""
        self._study = study
        self._keep = keep
        self._start_trainer = start_trainer
        self._clock = clock
        self._lock = threading.Lock()
        self._ending: StudyStatus | None = None
        self._control = RunControl()
        self._trainer: Trainer | None = None
        self._began_at: float | None = None
        """When the first measurement that counts began."""
        self._longest_seconds = longest_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="study", daemon=True)

    def start(self) -> None:
        """Begin to measure."""
        self._thread.start()

    def snapshot(self) -> StudySnapshot:
        """As far as it has come."""
        with self._lock:
            is_over = self._study.status.is_over
            return StudySnapshot(
                self._study,
                seconds_left=None if is_over else self._seconds_left(),
                is_cancelling=self._ending is not None and not is_over,
            )

    def cancel(self, status: StudyStatus = StudyStatus.CANCELLED) -> None:
        """Measure nothing more; what is measured stays. The first reason given is kept."""
        with self._lock:
            if self._ending is not None or self._study.status.is_over:
                return
            self._ending = status
            self._control.stop()
            trainer = self._trainer
        if trainer is not None:
            _later(END_SECONDS, trainer.hang_up)

    def hang_up(self) -> None:
        """End the process that measures now, and wait for no epoch."""
        trainer = self._trainer
        if trainer is not None:
            trainer.hang_up()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over; whether it is."""
        return self._over.wait(timeout)

    def _work(self) -> None:
        timer = None
        if self._longest_seconds is not None:
            timer = _later(self._longest_seconds, lambda: self.cancel(StudyStatus.OUT_OF_TIME))
        message = ""
        try:
            self._measure_all()
        except MeasuringError as error:
            message = error.template
        except Exception as error:
            _log.exception("A study broke.")
            message = f"{type(error).__name__}: {error}"
        finally:
            if timer is not None:
                timer.cancel()
            self._finish(message)

    def _measure_all(self) -> None:
        trainer = self._start_trainer()
        with self._lock:
            self._trainer = trainer
        try:
            for turn in turns(self._study.plan):
                with self._lock:
                    if self._ending is not None:
                        return
                    control = self._control = RunControl()
                    if turn.repeat >= 0 and self._began_at is None:
                        self._began_at = self._clock()
                measured = measure(self._study.plan, turn, trainer.run, control)
                if measured is not None and turn.repeat >= 0:
                    self._add(measured)
        except MeasuringError:
            if trainer.is_gone:
                raise MeasuringError(GONE) from None
            raise
        finally:
            trainer.hang_up()
            trainer.end()

    def _add(self, measured: Measurement) -> None:
        with self._lock:
            self._study = replace(self._study, measurements=(*self._study.measurements, measured))
        self._keep(self._study)

    def _finish(self, message: str) -> None:
        with self._lock:
            status = self._ending or (StudyStatus.FAILED if message else StudyStatus.FINISHED)
            if status is not StudyStatus.FAILED:
                message = ""  # a process that was told to end has not failed
            self._study = replace(self._study, status=status, message=message)
        try:
            self._keep(self._study)
        finally:
            self._over.set()

    def _seconds_left(self) -> float:
        plan, num_measured = self._study.plan, len(self._study.measurements)
        each = plan.seconds + USUAL_OVERHEAD_SECONDS
        if self._began_at is not None and num_measured:
            each = (self._clock() - self._began_at) / num_measured
        return each * (plan.num_measurements - num_measured)


def _later(seconds: float, command: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, command)
    timer.daemon = True
    timer.start()
    return timer
