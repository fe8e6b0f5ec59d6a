"""The data of a run: points scattered around the line y = 3x, or somebody's own."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpdash.core.config import TRUE_SLOPE, X_HIGH, X_LOW, RunConfig
from dpdash.problem.tables import trained


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What a run trains on, and the generator that drew it."""

    x: Tensor
    """Shape (num_samples, 1), float32; uniform in [-5, 5) unless it is somebody's own."""
    y: Tensor
    """Shape (num_samples, 1), float32, in the same units as the noise."""
    generator: torch.Generator
    """Stands where the initial weights are to be drawn, and after them the shuffles."""


def draw(config: RunConfig) -> Data:
    """Own data as it is; else x is drawn, then the noise, from the run's generator, as in the reference listing.

    The expressions are the listing's too, because float32 rounds differently in another order.
    """
    generator = torch.Generator().manual_seed(config.seed)
    if config.data is not None:
        table = trained(config.data)
        return Data(_column(table.x), _column(table.y), generator)
    x = torch.rand(config.samples, 1, generator=generator) * (X_HIGH - X_LOW) + X_LOW
    noise = torch.randn(config.samples, 1, generator=generator) * config.noise
    return Data(x, x * TRUE_SLOPE + noise, generator)


def _column(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).unsqueeze(1)


def as_column(values: Tensor) -> Tensor:
    """The same memory of a (num_samples, 1) tensor, with the strides of a column-major matrix.

    For a matrix of width one both descriptions are true, and BLAS chooses its kernel by them: `nn.Linear(1, 1)`
    takes a quarter of the time, forward and backward, on a CPU. Measured in docs/adr/0002-training-loop.md.
    """
    return values.view(1, -1).t()
