"""What is known of a run before it trains: its data, how they are cut, and its first and best lines."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpdash.core.optimum import Moments, Optimum


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """A run before its first epoch. The arrays are shared and cannot be written to."""

    x: NDArray[np.float32]
    """Shape (num_points,): a sample of the data in which every replica has its due share."""
    y: NDArray[np.float32]
    replica: NDArray[np.int64]
    """The replica that holds each point in the first epoch. With a global batch size that changes from epoch to
    epoch, because each one shuffles the data anew."""
    shard_sizes: tuple[int, ...]
    """Samples of the first batch on each replica."""
    slope: float
    """Of the untrained model; of an MLP, the least-squares slope of its predictions over the data."""
    intercept: float
    moments: Moments
    optimum: Optimum
    noise_floor: float
    """Of own data, whose noise nobody knows, the loss of the least-squares line."""
