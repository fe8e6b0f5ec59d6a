"""What a step is made of: from what an ideal split would take to what it really takes. Plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dpdash.core.config import EngineName
from dpdash.core.scaling.curve import Spread


class Part(StrEnum):
    """A part of a step, in the order of the waterfall; the parts of a step add up to it."""

    IDEAL = "ideal"
    """One device's step divided by the replicas."""
    SMALL_SHARDS = "small_shards"
    """A shard alone on one device takes more than its share of the whole batch."""
    SHARING = "sharing"
    """All shards at once share cores, memory and, in one process, Python."""
    ONE_BACKWARD = "one_backward"
    """DataParallel has one backward over all outputs, and one update on the first device."""
    COPIES = "copies"
    """DataParallel scatters the batch, copies the model and gathers the outputs."""
    BOOKKEEPING = "bookkeeping"
    """DDP fills buckets and watches which are full."""
    EXCHANGE = "exchange_not_hidden"
    """DDP's all-reduce, as far as backward does not hide it."""


class Beside(StrEnum):
    """What is measured of a step and stands beside the sum of its parts."""

    EXCHANGE_HIDDEN = "exchange_hidden"
    """What one bucket after backward costs more than the buckets that overlap with it."""
    WAITING = "waiting_for_the_slowest"
    """From the first rank that enters its first all-reduce to the last; contained in the exchange not hidden."""


class Device(StrEnum):
    """What replicas are compared with."""

    ONE_CORE = "one_core"
    ONE_GPU = "one_gpu"
    WHOLE_CPU = "whole_cpu"


@dataclass(frozen=True, slots=True)
class Duration:
    """A measured time in whole nanoseconds, so that sums of parts are exact; it may be negative: a difference."""

    nanoseconds: int
    error: int
    """Standard error, in nanoseconds."""

    @property
    def milliseconds(self) -> float:
        return self.nanoseconds / 1e6

    @property
    def error_milliseconds(self) -> float:
        return self.error / 1e6

    @property
    def is_lost_in_noise(self) -> bool:
        """Whether it lies within two standard errors of zero."""
        return self.error > 0 and abs(self.nanoseconds) <= 2 * self.error

    @property
    def bound(self) -> "Duration":
        """What it is less than, either way, as far as its turns tell."""
        return Duration(abs(self.nanoseconds) + 2 * self.error, 0)


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The parts of a step of one engine with so many replicas."""

    engine: EngineName
    hidden_width: int
    replicas: int
    step: Duration
    batches: int
    """Steps of one device that have the samples of one step of all replicas: 1, in weak mode the replicas."""
    one_device: Duration
    """The step of one core or one GPU."""
    whole_cpu: Duration | None
    """The step of one device that takes all cores; None on GPUs, on one core, and where it was not measured."""
    parts: Mapping[Part, Duration]
    """In the order of `Part`; their nanoseconds add up to those of `step`."""
    beside: Mapping[Beside, Duration]
    speed_up: Spread
    """Beside one core or one GPU."""
    speed_up_of_cpu: Spread | None
    """Beside the whole CPU; None where `whole_cpu` is."""
    is_noisy: bool
    """Whether its numbers are too noisy to say anything: no cause is named then."""
    num_turns: int
    device: Device
    """What the replicas are compared with: one core, or one GPU."""
