"""A study that is being measured: a thread that listens, and a process of its own that measures."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Protocol, TypeVar

from dpdash.core.errors import N_
from dpdash.core.scaling.exchange_study import ExchangeStudy
from dpdash.core.scaling.study import AnyStudy, Study, StudyStatus
from dpdash.scaling.measure import USUAL_OVERHEAD_SECONDS
from dpdash.scaling.messages import Ended, Fitted, FromProcess, Measured, Order, Ready
from dpdash.training.processes.child import Child, started
from dpdash.training.variants.measurer import MeasuringError

MODULE: Final = "dpdash.scaling.process"
THREADS_PER_REPLICA: Final = 1
"""Of an operation: a replica is the work of one core, also where it is the only one."""
START_SECONDS: Final = 60.0
GONE: Final = N_(
    "The process that measured ended before the study did; perhaps it was killed because memory was short. What "
    "was measured is kept. Press Start to measure again, with fewer samples if it happens again."
)
NOT_STARTED: Final = N_("The process that measures could not be started. Press Start to try again.")

_log = logging.getLogger(__name__)
S = TypeVar("S", bound=AnyStudy)


class Measuring(Protocol):
    """Measures one study somewhere."""

    def measure(self, order: Order[Any]) -> Iterator[Fitted | Measured]:
        """What is measured as it comes.

        Raises:
            MeasuringError: when no more can be measured, with a sentence that says why.
        """

    def hang_up(self) -> None:
        """End it at once, from whatever thread."""


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[S]):
    """A study at a moment."""

    study: S
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


StudySnapshot = Snapshot[Study]
ExchangeSnapshot = Snapshot[ExchangeStudy]


def is_empty(study: AnyStudy) -> bool:
    """Whether somebody has ended a study before anything of it could be compared."""
    return study.status is StudyStatus.CANCELLED and not study.compares


class MeasuringProcess:
    """A process of its own that measures a study."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            MeasuringError: when there can be none.
        """
        try:
            self._child: Child[Order[Any], FromProcess] = started(MODULE, THREADS_PER_REPLICA)
        except OSError:
            raise MeasuringError(NOT_STARTED) from None

    @property
    def pid(self) -> int:
        return self._child.process.pid

    def measure(self, order: Order[Any]) -> Iterator[Fitted | Measured]:
        """See `Measuring`."""
        with self._child.orders as orders, self._child.answers as answers:
            try:
                if not (answers.poll(START_SECONDS) and isinstance(answers.recv(), Ready)):
                    raise MeasuringError(NOT_STARTED)
            except EOFError:
                raise MeasuringError(NOT_STARTED) from None
            try:
                orders.send(order)
                while not isinstance(told := answers.recv(), Ended):
                    assert not isinstance(told, Ready)
                    yield told
            except (EOFError, OSError):
                raise MeasuringError(GONE) from None
            finally:
                self.hang_up()
        if told.problem:
            raise MeasuringError(told.problem)

    def hang_up(self) -> None:
        """See `Measuring`; ranks that it started end with it."""
        self._child.process.kill()
        self._child.process.wait()


class LiveStudy(Generic[S]):
    """Measures a study in a thread of its own; safe for threads."""

    def __init__(
        self,
        study: S,
        longest_seconds: float | None = None,
        keep: Callable[[S], None] = lambda _study: None,
        begin: Callable[[], Measuring] = MeasuringProcess,
        on_over: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`keep` is given the study after each measurement and at its end, on the thread that measures.

        It is given none of which nothing can be compared, unless that is because it came to a bad end. `on_over`
        is called behind all that, on the same thread.
        """
        self._study = study
        self._keep = keep
        self._begin = begin
        self._on_over = on_over
        self._clock = clock
        self._lock = threading.Lock()
        self._ending: StudyStatus | None = None
        self._measuring: Measuring | None = None
        self._longest_seconds = longest_seconds
        self._deadline = math.inf if longest_seconds is None else clock() + longest_seconds
        self._ends_at = clock() + (study.plan.seconds + USUAL_OVERHEAD_SECONDS) * study.num_wanted
        """About, by the clock."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="study", daemon=True)

    def start(self) -> None:
        """Begin to measure."""
        self._thread.start()

    def snapshot(self) -> Snapshot[S]:
        """As far as it has come."""
        with self._lock:
            is_over = self._study.status.is_over
            return Snapshot(
                self._study,
                seconds_left=None if is_over else max(0.0, min(self._ends_at, self._deadline) - self._clock()),
                is_cancelling=self._ending is not None and not is_over,
            )

    def cancel(self, status: StudyStatus = StudyStatus.CANCELLED) -> None:
        """Measure nothing more; what is measured stays. The first reason given is kept."""
        with self._lock:
            if self._ending is not None or self._study.status.is_over:
                return
            self._ending = status
            measuring = self._measuring
        if measuring is not None:
            measuring.hang_up()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over; whether it is."""
        return self._over.wait(timeout)

    def _work(self) -> None:
        timer = None
        if self._longest_seconds is not None:
            timer = threading.Timer(self._longest_seconds, self.cancel, (StudyStatus.OUT_OF_TIME,))
            timer.daemon = True
            timer.start()
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
        measuring = self._begin()
        with self._lock:
            self._measuring = measuring
            is_wanted = self._ending is None
        try:
            if is_wanted:
                deadline = None if self._longest_seconds is None else self._deadline
                for told in measuring.measure(Order(self._study, deadline)):
                    self._take(told)
        finally:
            measuring.hang_up()

    def _take(self, told: Fitted | Measured) -> None:
        with self._lock:
            if isinstance(told, Fitted):
                self._study = replace(self._study, left_out=told.left_out, rounds=told.rounds)
                return
            self._study = replace(self._study, measurements=(*self._study.measurements, told.measurement))
            self._ends_at = self._clock() + told.seconds_left
        if self._study.compares:
            self._keep(self._study)

    def _finish(self, message: str) -> None:
        with self._lock:
            status = self._ending or (StudyStatus.FAILED if message else StudyStatus.FINISHED)
            if status is not StudyStatus.FAILED:
                message = ""  # a process that was told to end has not failed
            self._study = replace(self._study.even(), status=status, message=message)
        try:
            if not is_empty(self._study):
                self._keep(self._study)
        finally:
            self._over.set()
            self._on_over()
