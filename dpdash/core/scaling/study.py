"""A scaling study as far as it has come: its plan and what was measured. Plain values."""

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol, Self

from dpdash.core.config import EngineName
from dpdash.core.scaling.plan import Point, StudyPlan
from dpdash.core.scaling.variants import Variant, variants_of
from dpdash.core.scaling.waterfall import Device


class StudyStatus(StrEnum):
    """Where a study is in its life."""

    MEASURING = "measuring"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    OUT_OF_TIME = "out_of_time"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self is not StudyStatus.MEASURING


@dataclass(frozen=True, slots=True)
class Measurement:
    """One turn of a point: the steady rate of its step, done in one way."""

    point: Point
    repeat: int
    samples: int
    """In a step, over all replicas."""
    steps_per_second: float
    emulated: bool
    """True when threads on the CPU stood in for GPUs."""
    variant: Variant = Variant.ENGINE
    """The way in which the step was done."""
    other_programs: float | None = None
    """The share of the cores, 0 to 1, that other programs took meanwhile; None where that is not known."""
    waiting_seconds: float | None = None
    """From the first rank that entered its first all-reduce to the last, the median of its steps."""

    @property
    def samples_per_second(self) -> float:
        return self.samples * self.steps_per_second

    @property
    def step_seconds(self) -> float:
        return 1 / self.steps_per_second


class TurnsPlan(Protocol):
    """What is to be measured in turns."""

    @property
    def replicas(self) -> int:
        """The most of them."""

    @property
    def replica_counts(self) -> tuple[int, ...]:
        """The numbers of replicas that are measured, in rising order."""

    @property
    def repeats(self) -> int:
        """Rounds in which everything is measured once."""

    @property
    def seconds(self) -> float:
        """Of each measurement."""


@dataclass(frozen=True)
class AnyStudy(ABC):
    """A study of whatever kind as far as it has come."""

    study_id: str
    owner: str
    created_at: float
    """Unix time in seconds."""
    plan: TurnsPlan
    num_cores: int
    """That the replicas could use."""
    num_gpus: int
    status: StudyStatus = StudyStatus.MEASURING
    measurements: tuple[Any, ...] = ()
    message: str = ""
    """What went wrong, as a template; empty where nothing did."""
    left_out: tuple[int, ...] = ()
    """Numbers of replicas of the plan that are not measured, because the time does not suffice for them."""
    rounds: int | None = None
    """Rounds for which the time suffices; None where it does for the plan's repeats."""

    @property
    def num_rounds(self) -> int:
        """How often everything is measured."""
        return self.plan.repeats if self.rounds is None else self.rounds

    @property
    @abstractmethod
    def num_wanted(self) -> int:
        """Measurements that it has when it is finished."""

    @property
    @abstractmethod
    def compares(self) -> bool:
        """Whether something can be told of what was measured."""

    @abstractmethod
    def even(self) -> Self:
        """The same without a round that was not finished, so that nothing has fewer turns than another."""


@dataclass(frozen=True)
class Study(AnyStudy):
    """A study of how training scales."""

    plan: StudyPlan
    measurements: tuple[Measurement, ...] = ()

    @property
    def points(self) -> tuple[Point, ...]:
        """What is measured of the plan, in the order of a round."""
        return tuple(point for point in self.plan.points if point.replicas not in self.left_out)

    @property
    def num_wanted(self) -> int:
        """Measurements that it has when it is finished."""
        turns = sum(len(self.ways(point)) for point in self.points)
        if self.status.is_over and all(one.variant is Variant.ENGINE for one in self.measurements):
            turns = len(self.points)  # as older versions measured
        return turns * self.num_rounds

    @property
    def compares(self) -> bool:
        """Whether replicas were measured, which can then be compared with one device."""
        return any(not one.point.is_baseline and one.variant is Variant.ENGINE for one in self.measurements)

    def ways(self, point: Point) -> tuple[Variant, ...]:
        """The ways in which a point's step is measured on this machine, in the order of a round."""
        has_more_cores = self.num_cores > 1 and not self.num_gpus
        return tuple(
            variant for variant in variants_of(point.engine) if has_more_cores or variant is not Variant.WHOLE_CPU
        )

    def even(self) -> Self:
        """The same without a round that was not finished, so that no point has fewer turns than another.

        Of a first round that was not finished, the points stay of which all is measured.
        """
        turns = Counter((one.point, one.variant) for one in self.measurements)
        finished = [point for point in self.points if all(turns[point, way] for way in self.ways(point))]
        rounds = 1
        if len(finished) == len(self.points):
            rounds = min(turns[point, way] for point in finished for way in self.ways(point))
        kept = tuple(one for one in self.measurements if one.point in finished and one.repeat < rounds)
        return replace(self, measurements=kept)

    def of(self, point: Point, variant: Variant = Variant.ENGINE) -> tuple[Measurement, ...]:
        """The turns of a point that were measured in one way, in their order."""
        return tuple(one for one in self.measurements if one.point == point and one.variant is variant)

    @property
    def device(self) -> Device:
        """What its replicas are compared with."""
        return Device.ONE_GPU if self.num_gpus else Device.ONE_CORE

    def is_oversubscribed(self, engine: EngineName, replicas: int) -> bool:
        """Whether there are more replicas than there is to run them on: they share cores, or DDP's ranks GPUs."""
        return replicas > self.num_places(engine)

    def num_places(self, engine: EngineName) -> int:
        """Cores or GPUs that an engine can put its replicas on."""
        takes_cores = engine is EngineName.CPU_REPLICAS or not self.num_gpus
        return self.num_cores if takes_cores else self.num_gpus
