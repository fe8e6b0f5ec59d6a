import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpdash.core.config import RunConfig
from dpdash.core.optimum import Moments, noise_floor, optimum
from dpdash.problem.data import draw

SOME_SETTINGS = {"seed": st.integers(0, 1000), "samples": st.integers(2, 500), "noise": st.floats(0, 20)}


@settings(max_examples=30, deadline=None)
@given(**SOME_SETTINGS, slope=st.floats(-10, 10), intercept=st.floats(-10, 10))
def test_loss_in_closed_form_is_the_mean_squared_error(
    seed: int, samples: int, noise: float, slope: float, intercept: float
) -> None:
    data = draw(RunConfig(seed=seed, samples=samples, noise=noise))
    x, y = data.x.numpy().astype(float), data.y.numpy().astype(float)
    direct = np.mean((y - slope * x - intercept) ** 2)
    assert Moments.of(data.x, data.y).loss_at(slope, intercept) == pytest.approx(direct, rel=1e-9, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(**SOME_SETTINGS)
def test_optimum_is_numpys_least_squares_line(seed: int, samples: int, noise: float) -> None:
    data = draw(RunConfig(seed=seed, samples=samples, noise=noise))
    x, y = data.x.numpy().ravel().astype(float), data.y.numpy().ravel().astype(float)
    (slope, intercept), *_ = np.linalg.lstsq(np.stack([x, np.ones_like(x)], axis=1), y)
    best = optimum(Moments.of(data.x, data.y))
    assert (best.slope, best.intercept) == pytest.approx((slope, intercept), rel=1e-6, abs=1e-6)
    assert best.loss == pytest.approx(np.mean((y - slope * x - intercept) ** 2), abs=1e-9)


def test_no_line_beats_the_optimum() -> None:
    data = draw(RunConfig())
    moments = Moments.of(data.x.numpy(), data.y.numpy().ravel())
    best = optimum(moments)
    slopes, intercepts = np.meshgrid(np.linspace(-5, 10, 40), np.linspace(-4, 4, 30))
    losses = moments.loss_at(slopes, intercepts)
    assert losses.shape == slopes.shape
    assert losses.min() >= best.loss
    assert best.loss == pytest.approx(noise_floor(RunConfig()), rel=0.05)


def test_without_noise_rounding_makes_no_loss_negative() -> None:
    moments = [Moments.of(data.x, data.y) for data in (draw(RunConfig(noise=0, seed=seed)) for seed in range(40))]
    assert min(each.loss_at(3, each.mean_y - 3 * each.mean_x) for each in moments) >= 0
    assert min(optimum(each).loss for each in moments) >= 0


def test_one_sample_has_a_flat_line_through_it() -> None:
    best = optimum(Moments.of(np.array([2.0]), np.array([6.0])))
    assert (best.slope, best.intercept, best.loss) == (0.0, 6.0, 0.0)


def test_a_line_beyond_all_floats_has_no_finite_loss() -> None:
    data = draw(RunConfig(samples=10))
    losses = Moments.of(data.x, data.y).loss_at(np.array([1e200, np.nan]), np.array([0.0, 0.0]))
    assert not np.isfinite(losses).any()
