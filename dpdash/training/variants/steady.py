"""The steady rate of a step: warm, for a while, and with every device waited for."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

MOST_WARM_STEPS: Final = 3
"""Done before the clock counts: the first ones start threads, find memory and, with DDP, cut buckets anew. A step
that takes longer than the time that counts is done once: what it takes more the first time is little beside it.
"""
WARM_SHARE: Final = 0.1
"""Of the time that counts."""
SHORTEST_SECONDS: Final = 1e-9

Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Steady:
    """How long a step takes when many follow each other."""

    step_seconds: float
    """Mean."""
    num_steps: int
    waiting_seconds: float | None = None
    """See `Measurement.waiting_seconds`."""


def steady(
    step: Step,
    seconds: float,
    wait: Callable[[], None] = lambda: None,
    agree: Callable[[int], int] = lambda num_steps: num_steps,
    clock: Callable[[], float] = time.perf_counter,
) -> Steady:
    """Measure a step for about so many seconds, or once where it takes longer.

    Args:
        step: Does it once.
        seconds: How long the clock counts.
        wait: Waits until all devices have done what was asked of them.
        agree: What all who do the step together make of a number of steps that one of them would do.
        clock: Gives seconds.
    """
    timed = partial(_timed, step, wait, clock)
    about = timed(1)
    for _ in range(agree(_num_within(seconds, about, MOST_WARM_STEPS - 1))):
        about = timed(1)
    # Quick steps are still getting quicker after so few: a first stretch tells better how many fill the time.
    num_steps = agree(_num_within(WARM_SHARE * seconds, about))
    if num_steps:
        about = timed(num_steps)
    num_steps = agree(max(1, _num_within(seconds, about)))
    return Steady(timed(num_steps), num_steps)


def _num_within(seconds: float, about: float, most: int = sys.maxsize) -> int:
    return min(most, round(seconds / max(about, SHORTEST_SECONDS)))


def _timed(step: Step, wait: Callable[[], None], clock: Callable[[], float], num_steps: int) -> float:
    """Mean seconds of steps that follow each other."""
    began = clock()
    for _ in range(num_steps):
        step()
    wait()
    return (clock() - began) / num_steps
