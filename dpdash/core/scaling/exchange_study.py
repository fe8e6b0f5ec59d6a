"""What an exchange of gradients costs on a machine: what is to be measured of it, and what was. Plain values."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Self

from pydantic import Field, model_validator

from dpdash.core.config import EngineName, RunConfig, bounds
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.gradient import bucket_caps, gradient_bytes, tensor_sizes
from dpdash.core.scaling.plan import LEARNING_RATE, LEAST_SECONDS, MOST_REPEATS, MOST_SECONDS
from dpdash.core.scaling.study import AnyStudy
from dpdash.core.scaling.variants import Variant
from dpdash.core.validation import Settings

LARGEST_SMALL: Final = 64 * 2**10
"""Bytes up to which an exchange is as good as its latency."""
SMALLEST_LARGE: Final = 4 * 2**20
"""Bytes from which on an exchange is as good as its transfer. In between is where libraries change their ways."""
SMALL_SIZES: Final = tuple(4**power for power in range(1, 9))
MIDDLE_SIZES: Final = (2**18, 2**19, 2**20)
LARGE_SIZES: Final = tuple(2**power for power in range(22, 27))
SIZES: Final = (*SMALL_SIZES, *MIDDLE_SIZES, *LARGE_SIZES)
SIZES_BY_HAND: Final = (4, 2**10, 2**16, 2**20, 2**22, 2**24, 2**26)
MICRO_BATCHES: Final = (2, 4, 8)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Adding up so many bytes of each of so many ranks, in every one of them."""

    way: ExchangeWay
    replicas: int
    num_bytes: int


@dataclass(frozen=True, slots=True)
class DdpStep:
    """A step of DDP with what its exchange depends on."""

    replicas: int
    variant: Variant = Variant.ENGINE
    bucket_cap_mb: float | None = None
    """See `RunConfig.bucket_cap_mb`."""
    micro_batches: int = 1
    """See `RunConfig.accumulation_steps`."""


Subject = Transfer | DdpStep


@dataclass(frozen=True, slots=True)
class Timing:
    """One turn: how long something took, on average over as many times as filled its seconds."""

    subject: Subject
    repeat: int
    seconds: float
    other_programs: float | None = None
    """See `Measurement.other_programs`."""


class ExchangePlan(Settings):
    """What is to be measured of an exchange."""

    replicas: int = Field(ge=2, le=int(bounds("replicas")[1]), examples=[2])
    """The most ranks; 2, 3, … up to there are measured."""
    samples: int = Field(examples=[10_000])
    """In the batch of a step, over all ranks."""
    hidden_width: int = Field(examples=[512])
    hidden_depth: int = Field(examples=[2])
    repeats: int = Field(ge=1, le=MOST_REPEATS, examples=[7])
    seconds: float = Field(ge=LEAST_SECONDS, le=MOST_SECONDS, examples=[0.05])
    """Of each measurement."""

    @model_validator(mode="after")
    def _run_is_allowed(self) -> Self:
        self.config(DdpStep(self.replicas))
        return self

    @property
    def replica_counts(self) -> tuple[int, ...]:
        """The numbers of ranks that are measured, in rising order."""
        return tuple(range(2, self.replicas + 1))

    @property
    def gradient_bytes(self) -> int:
        """Bytes of the model's gradient."""
        return gradient_bytes(self.hidden_width, self.hidden_depth)

    @cached_property
    def turns(self) -> tuple[Subject, ...]:
        """Everything to measure, in the order of a round."""
        by_hand = (ExchangeWay.RING, ExchangeWay.NAIVE)
        sizes = sorted({*SIZES, self.gradient_bytes})
        return (
            *(Transfer(ExchangeWay.ALL_REDUCE, count, size) for count in self.replica_counts for size in sizes),
            *(Transfer(way, self.replicas, size) for way in by_hand for size in SIZES_BY_HAND),
            *(DdpStep(self.replicas, bucket_cap_mb=cap) for cap in self.bucket_caps),
            DdpStep(self.replicas, Variant.NO_EXCHANGE),
            *(
                DdpStep(self.replicas, way, micro_batches=count)
                for count in self.micro_batches
                for way in (Variant.ENGINE, Variant.EXCHANGE_EACH)
            ),
        )

    @property
    def bucket_caps(self) -> tuple[float | None, ...]:
        """Sizes of DDP's buckets in MiB that are measured; the first is None, torch's own limits."""
        return bucket_caps(tensor_sizes(self.hidden_width, self.hidden_depth))

    @property
    def micro_batches(self) -> tuple[int, ...]:
        """Numbers of micro-batches that leave a sample to each rank in each of them."""
        return tuple(count for count in MICRO_BATCHES if count * self.replicas <= self.samples)

    def config(self, step: DdpStep) -> RunConfig:
        """The run whose step is measured: every epoch is one step with the whole batch."""
        wanted: dict[str, Any] = {
            "engine": EngineName.DDP,
            "replicas": step.replicas,
            "hidden_width": self.hidden_width,
            "hidden_depth": self.hidden_depth,
            "samples": self.samples,
            "epochs": int(bounds("epochs")[1]),
            "learning_rate": LEARNING_RATE,
        }
        if step.bucket_cap_mb is not None:
            wanted["bucket_cap_mb"] = step.bucket_cap_mb
        if step.micro_batches > 1:
            wanted["accumulation_steps"] = step.micro_batches
        return RunConfig.parse(wanted)

    @property
    def most_values(self) -> int:
        """Numbers that the hidden layers of its run hold at once, in round terms."""
        return self.samples * self.hidden_width * max(self.hidden_depth, 1)


@dataclass(frozen=True)
class ExchangeStudy(AnyStudy):
    """A study of what an exchange costs."""

    plan: ExchangePlan
    measurements: tuple[Timing, ...] = ()

    @property
    def turns(self) -> tuple[Subject, ...]:
        """What is measured of the plan, in the order of a round."""
        return tuple(turn for turn in self.plan.turns if turn.replicas not in self.left_out)

    @property
    def num_wanted(self) -> int:
        """Measurements that it has when it is finished."""
        return len(self.turns) * self.num_rounds

    @property
    def compares(self) -> bool:
        """Whether there is anything to be told."""
        return bool(self.measurements)

    @property
    def is_oversubscribed(self) -> bool:
        """Whether there are more ranks than there are cores, or GPUs, to run them on."""
        return self.plan.replicas > (self.num_gpus or self.num_cores)

    def even(self) -> Self:
        """The same without a round that was not finished, unless there is no other."""
        turns = Counter(one.subject for one in self.measurements)
        rounds = min((turns[turn] for turn in self.turns), default=0)
        if not rounds:
            return self
        return replace(self, measurements=tuple(one for one in self.measurements if one.repeat < rounds))

    def of(self, subject: Subject) -> tuple[float, ...]:
        """Seconds of each turn of something, in their order."""
        return tuple(one.seconds for one in self.measurements if one.subject == subject)
