"""How much faster so many replicas are than one device: one question, one answer on every page."""

import statistics
from collections.abc import Sequence
from typing import Final

import numpy as np

from dpdash.core.scaling.curve import Spread
from dpdash.findings.turns import redrawn_medians

LARGEST_ERROR: Final = 0.15
"""Of a step or a speed-up, as a share of it: beyond, nothing is said of what causes it."""
ERRORS: Final = 2
"""Standard errors within which a number may be another one: 95 % of the time, about."""
LEAST_TURNS: Final = 2
"""What was measured once has no error that anybody knows."""


def speed_up(one: Sequence[float], many: Sequence[float]) -> Spread:
    """How many times as fast many replicas are: the ratio of the medians, its error from the turns.

    Args:
        one: Seconds that one device takes for the samples of a step of all replicas, a value a turn.
        many: Seconds of a step of all replicas, in the same turns; as many values, and not none.
    """
    ratios = [alone / together for alone, together in zip(one, many, strict=True)]
    median = statistics.median(one) / statistics.median(many)
    alone, together = redrawn_medians(one, many).T
    return Spread(median, min(*ratios, median), max(*ratios, median), float(np.std(alone / together)))


def largest_error(one: Sequence[float], many: Sequence[float]) -> float:
    """The error of a step or of the speed-up, whichever is larger, as a share of it; arguments as above."""
    found = speed_up(one, many)
    step_error = float(np.std(redrawn_medians(many))) / statistics.median(many)
    return max(step_error, found.standard_error / found.median)


def is_noisy(one: Sequence[float], many: Sequence[float], replicas: int) -> bool:
    """Whether turns are too noisy to say what makes replicas fast or slow; arguments as above.

    They are where the replicas are faster than their number allows, or where an error is a large share.
    """
    found = speed_up(one, many)
    return (
        len(many) < LEAST_TURNS
        or found.median - ERRORS * found.standard_error > replicas
        or largest_error(one, many) > LARGEST_ERROR
    )
