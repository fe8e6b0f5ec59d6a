"""Traced steps in turns with untraced ones: how many, and when it is not worth it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

NUM_STEPS: Final = 20
"""Traced, and as many untraced ones between them."""
LEAST_STEPS: Final = 3
LONGEST_SECONDS: Final = 40.0
"""Where a step takes over a second, there are fewer than twenty: so long somebody may have to wait for them."""
WARM_STEPS: Final = 3
"""The first steps start threads, find memory and, with DDP, cut buckets anew."""
HOPELESS: Final = 0.25
"""A warm step that takes this share of what all of them may take needs no other one."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wish:
    """A trace that somebody asks for."""

    most_seconds: float = math.inf
    """It is left undone where its steps would take longer."""
    is_wanted: Callable[[], bool] = lambda: True
    """Whether it still is: a run that is to stop does not wait for twenty steps."""


def warm_up(step: Callable[[], float], wish: Wish, agree: Callable[[bool], bool]) -> bool:
    """Do warm steps, each of which tells its seconds, and say whether the trace is worth what it takes.

    `agree` gives what the process that leads wishes.
    """
    seconds: list[float] = []
    for _ in range(WARM_STEPS):
        seconds.append(step())
        if not agree(seconds[-1] <= HOPELESS * wish.most_seconds):
            return False
    # The quickest, because another program may have held up one of them.
    return agree(2 * NUM_STEPS * min(seconds) <= wish.most_seconds)


def expected_seconds(step_seconds: float) -> float:
    """About what a trace takes of a step that takes so long when nobody watches it."""
    return min(2 * NUM_STEPS * step_seconds, max(LONGEST_SECONDS, 2 * LEAST_STEPS * step_seconds))


def in_turns(
    traced: Callable[[], T], untraced: Callable[[], float], wish: Wish, agree: Callable[[bool], bool]
) -> tuple[list[T], list[float]]:
    """What was noted in each traced step, and the seconds of each of as many others."""
    began = time.perf_counter()
    steps: list[T] = []
    seconds: list[float] = []
    while agree(not steps or (wish.is_wanted() and _worth_another(len(steps), time.perf_counter() - began))):
        # Each is the first of a pair as often as the other.
        if len(steps) % 2:
            steps.append(traced())
            seconds.append(untraced())
        else:
            seconds.append(untraced())
            steps.append(traced())
    return steps, seconds


def _worth_another(num_steps: int, seconds: float) -> bool:
    return num_steps < NUM_STEPS and (num_steps < LEAST_STEPS or seconds < LONGEST_SECONDS)
