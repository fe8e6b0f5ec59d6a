"""The speed-up over the number of replicas, as it follows from a study. Plain values."""

from dataclasses import dataclass

from dpdash.core.config import EngineName


@dataclass(frozen=True, slots=True)
class Spread:
    """Repeats of one number."""

    median: float
    low: float
    high: float
    standard_error: float
    """Of the median; 0 with a single repeat, which says nothing about it."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What so many replicas make of it."""

    replicas: int
    speed_up: Spread
    """How many times the samples of one device they train in a second."""
    step_seconds: float
    """Median."""
    is_oversubscribed: bool
    is_noisy: bool = False
    """Whether its numbers are too noisy to say what makes it fast or slow."""
    error: float = 0.0
    """Standard error of the step or of the speed-up, whichever is larger, as a share of it."""
    num_turns: int = 0
    """In which it and one device were measured."""

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
