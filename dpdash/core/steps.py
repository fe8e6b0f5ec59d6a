"""One training step, taken apart: what each replica did, when, and what came of it. Plain values."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
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
    """One step of a run."""

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
    seconds: float
    """From the begin of the step to its end."""
    is_memory_counted: bool = False
    """True where no device tells what it held, and the sizes of the known tensors are added up.

    A step that was stored before this was known says nothing of it.
    """

    def seconds_in(self, phase: Phase) -> float:
        """Time of a phase on the clock: what several devices do at once counts once."""
        return seconds_on_clock(span for span in self.spans if span.phase is phase)


def seconds_on_clock(spans: Iterable[Span]) -> float:
    """Time during which at least one of the spans lasted; what happens at once counts once."""
    total = reached = 0.0
    for span in sorted(spans, key=lambda span: span.start):
        end = span.start + span.seconds
        total += max(0.0, end - max(span.start, reached))
        reached = max(reached, end)
    return total
