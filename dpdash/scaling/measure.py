"""Measures a plan, point by point: the steady rate of real, headless runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import N_, DpdashError, EngineUnavailableError
from dpdash.core.events import EpochBlock, RunDiverged, RunEvent, RunFailed, RunStarted, StepTraced
from dpdash.core.scaling.plan import Point, StudyPlan
from dpdash.core.scaling.study import Measurement, PhaseSeconds
from dpdash.core.steps import Phase, StepTrace
from dpdash.training import catalog
from dpdash.training.control import RunControl
from dpdash.training.engine import Emit

WARM_UP_SHARE: Final = 0.2
"""Of a measurement's time: what costs more the first time is paid then."""
ENDED: Final = N_("A run ended before it could be measured. Try fewer samples.")

Train = Callable[[RunConfig, Emit, RunControl], None]
"""Trains a run to its end; see `Engine.run`."""


class MeasuringError(DpdashError):
    """A run that was to be measured failed."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The next thing to do."""

    point: Point
    repeat: int
    """-1 for a warm-up, which is not kept."""
    seconds: float


def turns(plan: StudyPlan) -> Iterator[Turn]:
    """Warm-ups, then round after round over all points, so that the noise of a moment hits all alike."""
    most = [point for point in plan.points if point.replicas in (1, plan.replicas)]
    for point in (point for point in most if point.hidden_width == max(plan.hidden_widths)):
        yield Turn(point, -1, plan.seconds * WARM_UP_SHARE)
    for repeat in range(plan.repeats):
        for point in plan.points:
            yield Turn(point, repeat, plan.seconds)


def require_engines(plan: StudyPlan) -> None:
    """Check that this machine can measure all of it.

    Raises:
        EngineUnavailableError: for the first point that it cannot.
    """
    for point in plan.points:
        if point.engine not in catalog.ENGINES:
            raise EngineUnavailableError(
                N_("This dpdash has no engine {engine}. Try the engine {hint}."),
                engine=point.engine,
                hint=EngineName.CPU_REPLICAS,
            )
        catalog.require(plan.config(point))


def measure(plan: StudyPlan, turn: Turn, train: Train, control: RunControl) -> Measurement | None:
    """Train a run until it has trained long enough; None where `control` stopped it before.

    Raises:
        MeasuringError: when the run failed, or ended by itself.
    """
    config = plan.config(turn.point)
    meter = _Meter(turn.seconds, control)
    train(config, meter.hear, control)
    if meter.failure is not None:
        raise MeasuringError(meter.failure)
    if not meter.is_done:
        return None
    trace = meter.trace
    return Measurement(
        point=turn.point,
        repeat=turn.repeat,
        samples=config.samples,
        steps_per_second=meter.rate,
        emulated=meter.emulated,
        traced_seconds=None if trace is None else trace.seconds,
        phases=() if trace is None else _phases(trace),
    )


def _phases(trace: StepTrace) -> tuple[PhaseSeconds, ...]:
    return tuple(PhaseSeconds(phase.value, trace.seconds_in(phase)) for phase in Phase)


class _Meter:
    """Hears a run's events, and stops it when it has heard enough."""

    def __init__(self, seconds: float, control: RunControl) -> None:
        self.emulated = False
        self.trace: StepTrace | None = None
        self.failure: str | None = None
        self._seconds = seconds
        self._control = control
        self._first: tuple[int, float] | None = None
        """Epochs and seconds at the end of the first block, which is not counted."""
        self._last = (0, 0.0)

    @property
    def is_done(self) -> bool:
        return self._first is not None and self._last[1] - self._first[1] >= self._seconds

    @property
    def rate(self) -> float:
        """Epochs in a second."""
        assert self._first is not None
        return (self._last[0] - self._first[0]) / (self._last[1] - self._first[1])

    def hear(self, event: RunEvent) -> None:
        match event:
            case RunStarted():
                self.emulated = event.emulated
            case StepTraced():
                self.trace = self.trace or event.trace
            case EpochBlock() if len(event):
                self._take(event)
            case RunFailed():
                self.failure = event.message
            case RunDiverged():
                self.failure = ENDED

    def _take(self, block: EpochBlock) -> None:
        if self.is_done:
            return  # said while the run was already asked to stop
        self._last = block.last_epoch, float(block.seconds[-1])
        self._first = self._first or self._last
        if self.is_done:
            self._control.stop()
