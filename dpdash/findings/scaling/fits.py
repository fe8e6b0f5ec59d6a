"""Amdahl's and Gustafson's laws, fitted to measured speed-ups.

Amdahl 1967: a serial share s of a fixed work bounds the speed-up of n replicas to 1 / (s + (1 - s) / n).
Gustafson 1988: when the work grows with the replicas, it is s + (1 - s) n.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dpdash.core.scaling.curve import Curve
from dpdash.core.scaling.plan import ScalingMode


def amdahl(serial_share: float, replicas: float) -> float:
    """Speed-up of so many replicas on a fixed work."""
    return 1 / (serial_share + (1 - serial_share) / replicas)


def gustafson(serial_share: float, replicas: float) -> float:
    """Speed-up of so many replicas on a work that grows with them."""
    return serial_share + (1 - serial_share) * replicas


LAWS: Final[dict[ScalingMode, Callable[[float, float], float]]] = {
    ScalingMode.STRONG: amdahl,
    ScalingMode.WEAK: gustafson,
}


@dataclass(frozen=True, slots=True)
class Fit:
    """The law that is nearest to measured speed-ups."""

    mode: ScalingMode
    serial_share: float
    """From 0 to 1: what does not go faster with more replicas."""
    describes: bool
    """False where replicas are slower than one device: no share in [0, 1] gives a speed-up below 1."""

    def speed_up(self, replicas: float) -> float:
        """What the law says for so many replicas."""
        return LAWS[self.mode](self.serial_share, replicas)


def fit(curve: Curve, mode: ScalingMode) -> Fit | None:
    """The law of a mode that fits a curve's medians best, without noisy ones; None where there are no others."""
    parallel = [point for point in curve.points if point.replicas > 1 and not point.is_noisy]
    if not parallel:
        return None
    counts, speed_ups = [point.replicas for point in parallel], [point.speed_up.median for point in parallel]
    return fit_speed_ups(counts, speed_ups, mode)


def fit_speed_ups(replicas: Sequence[int], speed_ups: Sequence[float], mode: ScalingMode) -> Fit:
    """Least squares, of the time of a work (strong) or of the speed-up (weak): both are linear in the share."""
    num, measured = np.asarray(replicas, dtype=np.float64), np.asarray(speed_ups, dtype=np.float64)
    assert num.size and (num > 1).all() and (measured > 0).all()
    if mode is ScalingMode.STRONG:
        rise, loss = 1 - 1 / num, 1 / measured - 1 / num
    else:
        rise, loss = num - 1, num - measured
    share = float(rise @ loss / (rise @ rise))
    return Fit(mode, min(1.0, max(0.0, share)), describes=share <= 1 and bool((measured >= 1).all()))
