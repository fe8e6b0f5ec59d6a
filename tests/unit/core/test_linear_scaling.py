"""The linear scaling rule."""

from dpdash.core.config import bounds
from dpdash.core.linear_scaling import scaled_rate


def test_the_learning_rate_grows_as_the_batch_does() -> None:
    assert scaled_rate(0.1, 256, 8192) == 3.2
    assert scaled_rate(0.01, 300, 100) == 0.00333333


def test_it_stays_within_what_a_learning_rate_may_be() -> None:
    low, high = bounds("learning_rate")
    assert scaled_rate(5, 1, 10_000_000) == high
    assert scaled_rate(1e-6, 10_000_000, 1) == low
