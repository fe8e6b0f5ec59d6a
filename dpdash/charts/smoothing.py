"""Curves as a person can look at them: smoothed over all of their points, and thinned without losing extremes."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

SMALLEST: Final = float(np.finfo(np.float32).tiny)
"""A loss of exactly 0 has no logarithm."""

Floats = NDArray[np.float64]


def smoothed(losses: ArrayLike, window: int) -> Floats:
    """The geometric mean over `window` epochs around each, shape (num_epochs,).

    Geometric, as losses span decades and one spike is then no hill. At both ends the window becomes narrower, the
    same at either side, so that the curve begins and ends where the losses do.
    """
    logs = np.log(np.maximum(np.asarray(losses, dtype=np.float64), SMALLEST))
    sums = np.concatenate([[0.0], np.cumsum(logs)])
    at = np.arange(len(logs))
    half = np.minimum(window // 2, np.minimum(at, len(logs) - 1 - at))
    means: Floats = np.exp((sums[at + half + 1] - sums[at - half]) / (2 * half + 1))
    return means


def thinned(values: Floats, max_points: int) -> NDArray[np.int64]:
    """Indices of at most `max_points` (≥ 4) values: of each stretch the first, the last, lowest and highest."""
    num = len(values)
    if num <= max_points:
        return np.arange(num)
    starts = np.arange(0, num, -(-num // (max_points // 4)))
    ends = np.append(starts[1:], num)
    extremes = [
        begin + found
        for begin, end in zip(starts, ends, strict=True)
        for found in (values[begin:end].argmin(), values[begin:end].argmax())
    ]
    kept: NDArray[np.int64] = np.unique(np.concatenate([starts, ends - 1, np.array(extremes)]))
    return kept
