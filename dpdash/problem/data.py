"""The data of a run: points scattered around the line y = 3x."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dpdash.core.config import TRUE_SLOPE, X_HIGH, X_LOW, RunConfig


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What a run trains on, and the generator that drew it."""

    x: Tensor
    """Shape (num_samples, 1), float32, uniform in [-5, 5)."""
    y: Tensor
    """Shape (num_samples, 1), float32, in the same units as the noise."""
    generator: torch.Generator
    """Stands where the initial weights are to be drawn, and after them the shuffles."""


def draw(config: RunConfig) -> Data:
    """Draw x, then the noise, from the run's own generator: the order of the reference listing.

    The expressions are the listing's too, because float32 rounds differently in another order.
    """
    generator = torch.Generator().manual_seed(config.seed)
    x = torch.rand(config.samples, 1, generator=generator) * (X_HIGH - X_LOW) + X_LOW
    noise = torch.randn(config.samples, 1, generator=generator) * config.noise
    return Data(x, x * TRUE_SLOPE + noise, generator)


def as_column(values: Tensor) -> Tensor:
    """The same memory of a (num_samples, 1) tensor, with the strides of a column-major matrix.

    For a matrix of width one both descriptions are true, and BLAS chooses its kernel by them: `nn.Linear(1, 1)`
    takes a quarter of the time, forward and backward, on a CPU. Measured in docs/adr/0002-training-loop.md.
    """
    return values.view(1, -1).t()
