"""A scaling study: what is to be measured, what was measured, and the curves that follow. Plain values."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, Self

from pydantic import Field, field_validator, model_validator

from dpdash.core.config import EngineName, RunConfig, bounds
from dpdash.core.errors import N_, SettingError
from dpdash.core.validation import Settings

MOST_REPEATS: Final = 20
LEAST_SECONDS, MOST_SECONDS = 0.05, 10.0
"""Of one measurement: below, a burst of the machine's noise is all there is."""
LEARNING_RATE: Final = 1e-4
"""Low, so that no measurement ends by diverging: how fast a step is does not depend on it."""


class ScalingMode(StrEnum):
    """What stays the same while the replicas become more."""

    STRONG = "strong"
    """The global batch: each replica gets a smaller part of it."""
    WEAK = "weak"
    """The batch of a replica: the global batch grows with the replicas."""


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
class Point:
    """One thing to measure, several times."""

    engine: EngineName
    replicas: int
    hidden_width: int

    @property
    def is_baseline(self) -> bool:
        """Whether it is what the others of its width are compared with."""
        return self.engine is EngineName.SINGLE


class StudyPlan(Settings):
    """What a study measures."""

    engines: tuple[EngineName, ...] = Field(examples=[EngineName.CPU_REPLICAS])
    """Without `single`, which is always measured: one device is the baseline."""
    mode: ScalingMode = Field(examples=[ScalingMode.STRONG])
    replicas: int = Field(ge=2, le=int(bounds("replicas")[1]), examples=[2])
    """The most of them; 1, 2, … up to there are measured."""
    samples: int = Field(examples=[10_000])
    """In the global batch (strong), or in the batch of one replica (weak)."""
    hidden_widths: tuple[int, ...] = Field(min_length=1, examples=[64])
    """One for curves, several for a map."""
    hidden_depth: int = Field(examples=[1])
    repeats: int = Field(ge=1, le=MOST_REPEATS, examples=[3])
    seconds: float = Field(ge=LEAST_SECONDS, le=MOST_SECONDS, examples=[0.5])
    """Of each measurement, its first block of epochs left out."""

    @field_validator("engines", "hidden_widths")
    @classmethod
    def _each_is_measured_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(values))

    @field_validator("engines")
    @classmethod
    def _are_compared_with_one_device(cls, engines: tuple[EngineName, ...]) -> tuple[EngineName, ...]:
        if engines and EngineName.SINGLE not in engines:
            return engines
        raise SettingError(
            "engines",
            N_(
                "Choose one or more engines of {choices} to compare with one device. Received: {received}. "
                "Try {hint}."
            ),
            choices=", ".join(name for name in EngineName if name is not EngineName.SINGLE),
            received=", ".join(engines) or '""',
            hint=EngineName.CPU_REPLICAS,
        )

    @model_validator(mode="after")
    def _runs_are_allowed(self) -> Self:
        # The other bounds are those of the runs that measure, of which these have the fewest and the most samples.
        for width in self.hidden_widths:
            for point in (Point(EngineName.SINGLE, 1, width), Point(self.engines[0], self.replicas, width)):
                self.config(point)
        return self

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Everything to measure, in the order of a round."""
        return tuple(
            point
            for width in self.hidden_widths
            for point in (
                Point(EngineName.SINGLE, 1, width),
                *(Point(engine, num, width) for engine in self.engines for num in range(2, self.replicas + 1)),
            )
        )

    def config(self, point: Point) -> RunConfig:
        """The run that measures a point: every epoch is one step with the whole batch."""
        return RunConfig.parse(
            {
                "engine": point.engine,
                "replicas": point.replicas,
                "hidden_width": point.hidden_width,
                "hidden_depth": self.hidden_depth,
                "samples": self.samples * (point.replicas if self.mode is ScalingMode.WEAK else 1),
                "epochs": int(bounds("epochs")[1]),
                "learning_rate": LEARNING_RATE,
            }
        )

    @property
    def num_measurements(self) -> int:
        return len(self.points) * self.repeats

    @property
    def is_map(self) -> bool:
        """Whether it compares several widths."""
        return len(self.hidden_widths) > 1

    @property
    def most_values(self) -> int:
        """Numbers that the hidden layers of its largest run hold at once, in round terms."""
        batches = self.replicas if self.mode is ScalingMode.WEAK else 1
        return self.samples * batches * max(self.hidden_widths) * max(self.hidden_depth, 1)


@dataclass(frozen=True, slots=True)
class PhaseSeconds:
    """Time of a phase in a step that was taken apart, on the clock."""

    phase: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """One repeat of one point: the steady rate of a run."""

    point: Point
    repeat: int
    samples: int
    """In a step, over all replicas."""
    steps_per_second: float
    emulated: bool
    """True when threads on the CPU stood in for GPUs."""
    traced_seconds: float | None = None
    """Of the step that the run took apart; None where it took none apart."""
    phases: tuple[PhaseSeconds, ...] = ()

    @property
    def samples_per_second(self) -> float:
        return self.samples * self.steps_per_second

    @property
    def step_seconds(self) -> float:
        return 1 / self.steps_per_second


@dataclass(frozen=True)
class Study:
    """A study as far as it has come."""

    study_id: str
    owner: str
    created_at: float
    """Unix time in seconds."""
    plan: StudyPlan
    num_cores: int
    """That the replicas could use."""
    num_gpus: int
    status: StudyStatus = StudyStatus.MEASURING
    measurements: tuple[Measurement, ...] = ()
    message: str = ""
    """What went wrong, as a template; empty where nothing did."""

    def of(self, point: Point) -> tuple[Measurement, ...]:
        """The repeats of a point that were measured."""
        return tuple(measured for measured in self.measurements if measured.point == point)

    def is_oversubscribed(self, engine: EngineName, replicas: int) -> bool:
        """Whether there are more replicas than there is to run them on: they share cores, or DDP's ranks GPUs."""
        return replicas > self.num_places(engine)

    def num_places(self, engine: EngineName) -> int:
        """Cores or GPUs that an engine can put its replicas on."""
        takes_cores = engine is EngineName.CPU_REPLICAS or not self.num_gpus
        return self.num_cores if takes_cores else self.num_gpus


@dataclass(frozen=True, slots=True)
class Spread:
    """Repeats of one number."""

    median: float
    low: float
    high: float
    standard_error: float
    """Of the mean; 0 with a single repeat, which says nothing about it."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What so many replicas make of it."""

    replicas: int
    speed_up: Spread
    """How many times the samples of one device they train in a second."""
    step_seconds: float
    """Median."""
    is_oversubscribed: bool

    @property
    def efficiency(self) -> float:
        """Speed-up as a share of the ideal one, which is the number of replicas."""
        return self.speed_up.median / self.replicas


@dataclass(frozen=True, slots=True)
class Curve:
    """Speed-up of one engine over 1, 2, … replicas, at one width."""

    engine: EngineName
    hidden_width: int
    emulated: bool
    points: tuple[CurvePoint, ...]
