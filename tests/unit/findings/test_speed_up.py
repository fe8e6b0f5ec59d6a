"""How much faster replicas are: one rule, and when nothing is said."""

import numpy as np
import pytest

from dpdash.findings.speed_up import is_noisy, speed_up

ALONE = [4.0, 4.1, 3.9, 4.0, 4.05, 3.95, 4.0]


def test_it_is_the_ratio_of_the_medians() -> None:
    found = speed_up([4.0, 4.0, 8.0], [2.0, 5.0, 5.0])
    assert found.median == 4.0 / 5.0
    assert (found.low, found.high) == (0.8, 2.0)


def test_what_a_round_does_to_all_alike_is_no_error() -> None:
    rounds = [1.0, 3.0, 2.0, 1.5, 1.1]
    found = speed_up([4 * slow for slow in rounds], [2 * slow for slow in rounds])
    assert found.median == 2.0
    assert found.standard_error == pytest.approx(0.0, abs=1e-12)


def test_one_turn_has_no_error_and_tells_nothing() -> None:
    assert speed_up([4.0], [2.0]).standard_error == 0.0
    assert is_noisy([4.0], [2.0], 2)


def test_its_error_is_how_far_it_lies_from_itself_when_it_is_measured_again() -> None:
    rng = np.random.default_rng(0)
    agree = []
    for _study in range(300):
        first, second = (speed_up(list(rng.normal(4, 0.1, 7)), list(rng.normal(2, 0.1, 7))) for _again in range(2))
        margin = 2 * np.hypot(first.standard_error, second.standard_error)
        agree.append(abs(first.median - second.median) < margin)
    assert 0.9 < np.mean(agree) < 1.0


@pytest.mark.parametrize(
    ("many", "replicas", "noisy"),
    [
        ([2.1, 2.0, 2.2, 2.1, 2.1, 2.15, 2.05], 2, False),
        ([0.6, 0.65, 0.6, 0.62, 0.61, 0.6, 0.64], 2, True),
        ([2.0, 4.0, 1.2, 3.5, 5.0, 2.2, 0.9], 2, True),
        ([1.99] * 7, 2, False),
        ([1.9] * 7, 3, False),
    ],
    ids=["quiet", "faster than the number allows", "errors are large", "hardly above", "more replicas"],
)
def test_noisy_is_what_cannot_be_and_what_is_not_known(many: list[float], replicas: int, noisy: bool) -> None:
    assert is_noisy(ALONE, many, replicas) is noisy


def test_a_speed_up_above_the_number_within_two_errors_is_told() -> None:
    many = [1.85, 2.0, 1.9, 2.05, 1.85, 1.95, 1.85]
    found = speed_up(ALONE, many)
    assert found.median - found.standard_error > 2 > found.median - 2 * found.standard_error
    assert not is_noisy(ALONE, many, 2)
