"""Smoothing over all epochs, and thinning that loses no extreme."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dpdash.charts.smoothing import smoothed, thinned

LOSSES = npst.arrays(np.float64, st.integers(1, 300), elements=st.floats(1e-30, 1e30))


@given(losses=LOSSES, window=st.integers(1, 99))
def test_each_point_is_the_geometric_mean_of_its_window(losses: np.ndarray, window: int) -> None:
    found = smoothed(losses, window)
    for at in {0, len(losses) // 3, len(losses) // 2, len(losses) - 1}:
        half = min(window // 2, at, len(losses) - 1 - at)
        expected = np.exp(np.log(losses[at - half : at + half + 1]).mean())
        assert found[at] == pytest.approx(expected, rel=1e-9)
    assert found[0] == pytest.approx(losses[0])
    assert found[-1] == pytest.approx(losses[-1])


def test_a_spike_does_not_drown_what_comes_after_it() -> None:
    losses = np.full(1000, 0.25)
    losses[10] = 1e30
    assert smoothed(losses, 5)[500] == pytest.approx(0.25)


def test_a_loss_of_zero_is_smoothed_too() -> None:
    assert np.isfinite(smoothed(np.zeros(5, dtype=np.float32), 3)).all()


@given(values=LOSSES, max_points=st.integers(4, 80))
def test_thinning_keeps_first_last_and_extremes(values: np.ndarray, max_points: int) -> None:
    kept = thinned(values, max_points)
    assert len(kept) <= max_points
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0 and kept[-1] == len(values) - 1
    assert {values.min(), values.max()} <= set(values[kept])
    if len(values) <= max_points:
        assert len(kept) == len(values)
