"""One training step, taken apart: what each replica did, when, and what came of it. Plain values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median, quantiles
from typing import Final

MOST_LISTED_SAMPLES: Final = 400
"""Samples of a shard that a trace names; a larger shard is thinned to so many, evenly."""
MOST_LISTED_PARAMETERS: Final = 8
"""Parameters whose gradients a trace lists one by one; the residual is over all of them."""


class Phase(StrEnum):
    """A part of a step, in the order of `torch.nn.DataParallel` (scatter to gather) and of every training step."""

    SCATTER = "scatter"
    REPLICATE = "replicate"
    PARALLEL_APPLY = "parallel_apply"
    GATHER = "gather"
    LOSS = "loss"
    BACKWARD = "backward"
    REDUCE = "reduce"
    """Adding the replicas' gradients up: DataParallel on its first device, DDP by an all-reduce of buckets."""
    OPTIMIZER = "optimizer"


@dataclass(frozen=True, slots=True)
class Span:
    """Something that one device did without a break."""

    phase: Phase
    lane: int
    """Index of the replica on whose device it ran; what is done once for all runs on the first."""
    start: float
    """Seconds since the step began."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Quartiles:
    """What something took in many steps, in seconds: half of them lie between `low` and `high`."""

    median: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of what the middle half of the steps spreads over."""
        return (self.high - self.low) / 2

    @staticmethod
    def of(values: Sequence[float]) -> "Quartiles":
        """Those of at least one value."""
        if len(values) == 1:
            return Quartiles(values[0], values[0], values[0])
        low, _middle, high = quantiles(values, n=4, method="inclusive")
        return Quartiles(median(values), low, high)


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """What a phase took in the steps of a trace."""

    phase: Phase
    on_clock: Quartiles
    """Time in which at least one device was in it."""
    together: float
    """Seconds of all devices together, the median."""
    marks: float = 0.0
    """Seconds of it that noting it took, by what noting takes on this machine."""


@dataclass(frozen=True, slots=True)
class Entry:
    """When a rank of DDP was ready for its first all-reduce. Backward itself ends at the same time for all."""

    lane: int
    after: Quartiles
    """Since its backward began."""


@dataclass(frozen=True, slots=True)
class OneStep:
    """What was noted in one step."""

    spans: tuple[Span, ...]
    seconds: float
    """From the begin of the step to its end."""


@dataclass(frozen=True, slots=True)
class StepTimes:
    """What warm steps took: traced ones, in turns with untraced ones."""

    num_steps: int
    """Traced; of the others there are as many."""
    traced: Quartiles
    untraced: Quartiles | None
    """None for a trace of before both were done in turns."""
    between: Quartiles
    """Time in which no phase was at work."""
    phases: tuple[PhaseTime, ...]
    """Those that there were, in the order of `Phase`."""
    entries: tuple[Entry, ...] = ()

    @property
    def cost(self) -> float | None:
        """How many times as long a traced step takes as an untraced one; None where that is unknown."""
        return self.traced.median / self.untraced.median if self.untraced and self.untraced.median else None

    def seconds_in(self, phase: Phase) -> float:
        """Median time of a phase on the clock; 0 for one that there was not."""
        return next((time.on_clock.median for time in self.phases if time.phase is phase), 0.0)


@dataclass(frozen=True, slots=True)
class ReplicaStep:
    """What one replica had and made in a step."""

    device: str
    shard_size: int
    """Samples of the batch that it got; 0 for an idle one."""
    samples: tuple[int, ...]
    """Which samples of the data these were, by index; at most `MOST_LISTED_SAMPLES` of them."""
    weight: float
    """Share of the batch: its gradient counts so much in the sum."""
    gradient: tuple[float, ...]
    """Gradient of the mean loss of its own shard, for the listed parameters."""
    received_bytes: int
    """What was moved to it: its shard, the parameters, and the sum of gradients where it gets that."""
    sent_bytes: int
    """What was moved away from it: outputs, gradients."""
    memory_bytes: int | None
    """Most memory that the step held on its device; on the CPU, what its known tensors take. None if unknown."""


@dataclass(frozen=True, slots=True)
class StepTrace:
    """One step of a run, done many times over."""

    engine: str
    emulated: bool
    """True when threads on the CPU stand in for GPUs."""
    num_samples: int
    """Samples of the batch."""
    parameters: tuple[str, ...]
    """Names of the listed parameters, such as `layer.weight` or `layers.0.weight[3]`."""
    num_parameters: int
    """All parameters of the model."""
    replicas: tuple[ReplicaStep, ...]
    gradient: tuple[float, ...]
    """What the optimizer was given, for the listed parameters: the sum of weight times gradient, in float32."""
    full_gradient: tuple[float, ...]
    """The gradient of the mean loss over the whole batch, worked out on one device in float64."""
    residual: float
    """Largest difference between the two over all parameters, as a share of the largest full gradient."""
    spans: tuple[Span, ...]
    """Of the step that took about the median."""
    seconds: float
    """From the begin of that step to its end."""
    is_memory_counted: bool = False
    """True where no device tells what it held, and the sizes of the known tensors are added up.

    A step that was stored before this was known says nothing of it.
    """
    times: StepTimes | None = None
    """None for a trace of before a step was done many times over; see `timed`."""

    @property
    def timed(self) -> StepTimes:
        """What the steps took, of an old trace its one step."""
        return self.times or step_times([OneStep(self.spans, self.seconds)])

    def seconds_in(self, phase: Phase) -> float:
        """Median time of a phase on the clock: what several devices do at once counts once."""
        return self.timed.seconds_in(phase)


def step_times(
    steps: Sequence[OneStep],
    untraced: Sequence[float] = (),
    marks: Mapping[Phase, float] | None = None,
    entries: Iterable[Entry] = (),
) -> StepTimes:
    """What steps took, from what was noted in each.

    Args:
        steps: The traced ones, at least one.
        untraced: Seconds of each of those in between.
        marks: Seconds of each phase that noting it took.
        entries: When each rank was ready for its first all-reduce.
    """
    spans_of = {
        phase: [[span for span in step.spans if span.phase is phase] for step in steps]
        for phase in Phase
        if any(span.phase is phase for step in steps for span in step.spans)
    }
    return StepTimes(
        num_steps=len(steps),
        traced=Quartiles.of([step.seconds for step in steps]),
        untraced=Quartiles.of(untraced) if untraced else None,
        between=Quartiles.of([max(0.0, step.seconds - seconds_on_clock(step.spans)) for step in steps]),
        phases=tuple(
            PhaseTime(
                phase,
                Quartiles.of([seconds_on_clock(spans) for spans in each]),
                median(sum(span.seconds for span in spans) for spans in each),
                (marks or {}).get(phase, 0.0),
            )
            for phase, each in spans_of.items()
        ),
        entries=tuple(entries),
    )


def nearest_to_median(steps: Sequence[OneStep]) -> OneStep:
    """The step that took about as long as the middle one."""
    middle = median(step.seconds for step in steps)
    return min(steps, key=lambda step: abs(step.seconds - middle))


def seconds_on_clock(spans: Iterable[Span]) -> float:
    """Time during which at least one of the spans lasted; what happens at once counts once."""
    total = reached = 0.0
    for span in sorted(spans, key=lambda span: span.start):
        end = span.start + span.seconds
        total += max(0.0, end - max(span.start, reached))
        reached = max(reached, end)
    return total
