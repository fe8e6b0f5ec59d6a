"""What a scaling study is to measure."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, Self

from pydantic import Field, field_validator, model_validator

from dpdash.core.config import DDP_ONLY, EngineName, OptimizerName, RunConfig, bounds
from dpdash.core.errors import N_, SettingError
from dpdash.core.validation import Settings

MOST_REPEATS: Final = 20
LEAST_SECONDS, MOST_SECONDS = 0.05, 10.0
"""Of one measurement: below, a burst of the machine's noise is all there is."""
USUAL_REPEATS: Final = 7
USUAL_SECONDS: Final = 0.25
"""Of a measurement: many short turns tell more of the noise than a few long ones."""
OF_THE_STEP: Final = ("hidden_depth", "optimizer", *DDP_ONLY)
"""Settings of a run that its step has and a point does not name, beside its samples."""
LEARNING_RATE: Final = 1e-4
"""Low, so that no measurement ends by diverging: how fast a step is does not depend on it."""


class ScalingMode(StrEnum):
    """What stays the same while the replicas become more."""

    STRONG = "strong"
    """The global batch: each replica gets a smaller part of it."""
    WEAK = "weak"
    """The batch of a replica: the global batch grows with the replicas."""


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
    seconds: float = Field(ge=LEAST_SECONDS, le=MOST_SECONDS, examples=[0.25])
    """Of each measurement."""
    counts: tuple[int, ...] | None = None
    """The numbers of replicas to measure, the largest of them `replicas`; without them 2, 3, … up to there."""
    optimizer: OptimizerName = OptimizerName.ADAM
    bucket_cap_mb: float | None = None
    """MiB; of the points of DDP alone, as the next one is."""
    accumulation_steps: int = 1

    @classmethod
    def of_step(cls, config: RunConfig) -> Self:
        """The study of a run's step alone, with one device beside it.

        Raises:
            ConfigError: when there is no such study: the run has no replicas, say.
        """
        return cls.parse(
            {
                "engines": (config.engine,),
                "mode": ScalingMode.STRONG,
                "replicas": config.replicas,
                "counts": (config.replicas,),
                "samples": config.global_batch_size or config.samples,
                "hidden_widths": (config.hidden_width,),
                "repeats": USUAL_REPEATS,
                "seconds": USUAL_SECONDS,
                **{name: getattr(config, name) for name in OF_THE_STEP},
            }
        )

    def measures(self, config: RunConfig) -> bool:
        """Whether it has a run's step among its points."""
        point = Point(config.engine, config.replicas, config.hidden_width)
        if self.mode is not ScalingMode.STRONG or point not in self.points:
            return False
        measured = self.config(point)
        is_alike = all(getattr(measured, name) == getattr(config, name) for name in OF_THE_STEP)
        return is_alike and measured.samples == (config.global_batch_size or config.samples)

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

    @field_validator("counts")
    @classmethod
    def _rise(cls, counts: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return tuple(sorted(set(counts))) if counts else None

    @model_validator(mode="after")
    def _counts_reach_the_most(self) -> Self:
        if self.counts is None or (self.counts[0] >= 2 and self.counts[-1] == self.replicas):
            return self
        raise SettingError(
            "counts",
            N_("The numbers of replicas must be from 2 to {limit}. Received: {received}. Leave them out for all."),
            limit=self.replicas,
            received=", ".join(map(str, self.counts)),
        )

    @model_validator(mode="after")
    def _runs_are_allowed(self) -> Self:
        # The other bounds are those of the runs that measure, of which these have the fewest and the most samples.
        for width in self.hidden_widths:
            self.config(Point(EngineName.SINGLE, 1, width))
            for engine in self.engines:
                self.config(Point(engine, self.replicas, width))
        return self

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Everything to measure, in the order of a round."""
        return tuple(
            point
            for width in self.hidden_widths
            for point in (
                Point(EngineName.SINGLE, 1, width),
                *(Point(engine, num, width) for engine in self.engines for num in self.replica_counts),
            )
        )

    @property
    def replica_counts(self) -> tuple[int, ...]:
        """The numbers of replicas that are measured, in rising order."""
        return self.counts or tuple(range(2, self.replicas + 1))

    def config(self, point: Point) -> RunConfig:
        """The run that measures a point: every epoch is one step with the whole batch."""
        of_ddp = {name: getattr(self, name) for name in DDP_ONLY} if point.engine is EngineName.DDP else {}
        return RunConfig.parse(
            {
                "engine": point.engine,
                "replicas": point.replicas,
                "hidden_width": point.hidden_width,
                "hidden_depth": self.hidden_depth,
                "samples": self.samples * (point.replicas if self.mode is ScalingMode.WEAK else 1),
                "epochs": int(bounds("epochs")[1]),
                "learning_rate": LEARNING_RATE,
                "optimizer": self.optimizer,
                **of_ddp,
            }
        )

    @property
    def is_map(self) -> bool:
        """Whether it compares several widths."""
        return len(self.hidden_widths) > 1

    @property
    def most_values(self) -> int:
        """Numbers that the hidden layers of its largest run hold at once, in round terms."""
        batches = self.replicas if self.mode is ScalingMode.WEAK else 1
        return self.samples * batches * max(self.hidden_widths) * max(self.hidden_depth, 1)
