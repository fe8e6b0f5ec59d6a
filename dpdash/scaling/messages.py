"""What a server and the process that measures for it say to each other: plain values, in order, over two pipes."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from dpdash.core.scaling.exchange_study import Timing
from dpdash.core.scaling.study import AnyStudy, Measurement

S = TypeVar("S", bound=AnyStudy, covariant=True)


@dataclass(frozen=True, slots=True)
class Order(Generic[S]):
    """To the process, once: measure this."""

    study: S
    """Of which nothing is measured."""
    deadline: float | None
    """Of `time.monotonic`, which all processes of a machine share; None where it may take as long as it takes."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From the process, first: it can measure now."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """From the process, whenever it changes: what fits into the time."""

    left_out: tuple[int, ...]
    """See `Study.left_out`."""
    rounds: int | None
    """See `Study.rounds`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """From the process: what it has just measured."""

    measurement: Measurement | Timing
    seconds_left: float
    """About, until all is measured."""


@dataclass(frozen=True, slots=True)
class Ended:
    """From the process, last."""

    problem: str = ""
    """What went wrong, as a template; empty where all is measured."""


FromProcess = Ready | Fitted | Measured | Ended
