"""What can be known about a run before it trains: the best line for its data, and the loss of any line."""

import math
from dataclasses import dataclass
from typing import Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpdash.core.config import RunConfig

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """Means, variances and covariance of the data (divided by num_samples): all that a line's loss depends on."""

    num_samples: int
    mean_x: float
    mean_y: float
    var_x: float
    var_y: float
    cov_xy: float

    @classmethod
    def of(cls, x: ArrayLike, y: ArrayLike) -> Self:
        """Moments of at least one sample, computed in float64. Shapes: (num_samples, 1) or (num_samples,)."""
        xs, ys = (np.asarray(values).reshape(-1).astype(np.float64) for values in (x, y))
        assert len(xs) == len(ys) >= 1
        mean_x, mean_y = xs.mean(), ys.mean()
        xs, ys = xs - mean_x, ys - mean_y
        num = len(xs)
        return cls(
            num_samples=num,
            mean_x=float(mean_x),
            mean_y=float(mean_y),
            var_x=float(xs @ xs) / num,
            var_y=float(ys @ ys) / num,
            cov_xy=float(xs @ ys) / num,
        )

    @overload
    def loss_at(self, slope: float, intercept: float) -> float: ...
    @overload
    def loss_at(self, slope: NDArray[np.floating], intercept: NDArray[np.floating]) -> Floats: ...
    def loss_at(
        self, slope: float | NDArray[np.floating], intercept: float | NDArray[np.floating]
    ) -> float | Floats:
        """Mean squared error of lines over the data, in units of y squared. Arrays are broadcast."""
        slopes, intercepts = np.asarray(slope, dtype=np.float64), np.asarray(intercept, dtype=np.float64)
        # A diverging run asks for lines whose loss is beyond any float: inf or nan is then the answer.
        with np.errstate(over="ignore", invalid="ignore"):
            spread = self.var_y - 2 * slopes * self.cov_xy + slopes**2 * self.var_x
            offset = self.mean_y - slopes * self.mean_x - intercepts
            # Without noise, rounding can push the spread around a perfect line below zero.
            losses = np.maximum(spread, 0) + offset**2
        return float(losses) if losses.ndim == 0 else losses


@dataclass(frozen=True, slots=True)
class Optimum:
    """The least-squares line of this very data and its loss: no line has less."""

    slope: float
    intercept: float
    loss: float


def optimum(moments: Moments) -> Optimum:
    """The least-squares line of the data.

    Where x does not vary (one sample, say) many lines are equally good: the flat one is taken.
    """
    slope = moments.cov_xy / moments.var_x if moments.var_x > 0 else 0.0
    intercept = moments.mean_y - slope * moments.mean_x
    return Optimum(slope, intercept, moments.loss_at(slope, intercept))


def standard_errors(moments: Moments) -> tuple[float, float] | None:
    """How far slope and intercept of the least-squares line are off on average, as its own residuals tell.

    None where they tell nothing: with two samples, or where x does not vary.
    """
    degrees = moments.num_samples - 2
    if degrees < 1 or moments.var_x <= 0:
        return None
    variance = optimum(moments).loss * moments.num_samples / degrees
    spread = moments.num_samples * moments.var_x
    return math.sqrt(variance / spread), math.sqrt(
        variance / moments.num_samples + variance * moments.mean_x**2 / spread
    )


def slope_error(config: RunConfig, moments: Moments) -> float | None:
    """σ/√Σ(x−x̄)²: how far the best line's slope is off on average, over all draws of the noise.

    Of own data, σ is what their residuals tell. None where nothing tells it.
    """
    if config.data is not None:
        errors = standard_errors(moments)
        return None if errors is None else errors[0]
    spread = moments.num_samples * moments.var_x
    return config.noise / math.sqrt(spread) if spread > 0 else None


def noise_floor(config: RunConfig) -> float | None:
    """The loss that no line can beat on average: the variance of the noise; None where nobody knows it."""
    return config.noise**2 if config.data is None else None
