"""The steady rate of a step: warm, for a while, and with every device waited for."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

WARM_STEPS: Final = 3
"""Done before the clock counts: the first ones start threads, find memory and, with DDP, cut buckets anew."""
LEAST_STEPS: Final = 3

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
    """Measure a step for about so many seconds, at least three times.

    Args:
        step: Does it once.
        seconds: How long the clock counts.
        wait: Waits until all devices have done what was asked of them.
        agree: What all who do the step together make of a number of steps that one of them would do.
        clock: Gives seconds.
    """
    warm = []
    for _ in range(WARM_STEPS):
        began = clock()
        step()
        wait()
        warm.append(clock() - began)
    num_steps = agree(max(LEAST_STEPS, round(seconds / max(min(warm), 1e-9))))
    began = clock()
    for _ in range(num_steps):
        step()
    wait()
    return Steady((clock() - began) / num_steps, num_steps)
