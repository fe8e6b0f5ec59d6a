"""What repeated measurements say together. Ways to do a step are measured in turns, so a round hits all alike."""

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

NUM_REDRAWN: Final = 400
"""Enough for two digits of a standard error; always the same draws, so that a study always says the same."""
SEED: Final = 0


def redrawn_medians(*columns: Sequence[float]) -> NDArray[np.float64]:
    """Medians of columns as they might have been, had other rounds been measured; shape (draws, columns).

    Rounds are drawn anew from those that there are, whole: what one round did to all columns alike then stays
    alike, and a difference or a ratio of medians has the error that it has (bootstrap of pairs).

    Args:
        columns: What was measured in one way each, a value a round; all of one length, which is not 0.
    """
    values = np.asarray(columns, dtype=np.float64)
    return np.median(values[:, _draws(values.shape[1])], axis=2).T


@cache
def _draws(num_rounds: int) -> NDArray[np.intp]:
    return np.random.default_rng(SEED).integers(num_rounds, size=(NUM_REDRAWN, num_rounds))
