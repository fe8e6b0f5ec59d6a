import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dpdash.core.optimum import Moments, optimum
from dpdash.problem.projection import line_projection


@settings(max_examples=30, deadline=None)
@given(samples=st.integers(2, 300), seed=st.integers(0, 100))
def test_projection_gives_the_least_squares_line_of_predictions(samples: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, predictions = torch.rand(2, samples, 1, generator=generator) * 10 - 5
    line = (line_projection(x) @ predictions.flatten()).tolist()
    best = optimum(Moments.of(x, predictions))
    assert line == pytest.approx([best.slope, best.intercept], rel=1e-3, abs=1e-3)


def test_projection_over_one_x_is_flat() -> None:
    assert (line_projection(torch.full((1, 1), 2.0)) @ torch.tensor([6.0])).tolist() == [0.0, 6.0]
