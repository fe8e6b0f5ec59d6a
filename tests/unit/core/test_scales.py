import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.scales import at_least, at_most, scale


def test_scale_has_the_steps_and_both_ends() -> None:
    assert scale(1, 100) == (1, 2, 5, 10, 20, 50, 100)
    assert scale(1e-3, 0.01) == (0.001, 0.002, 0.005, 0.01)


def test_scale_leaves_out_what_is_beyond_the_bounds() -> None:
    assert scale(3, 30) == (5, 10, 20)


@given(st.floats(1e-6, 1e6))
def test_neighbours_enclose_the_value(value: float) -> None:
    low, high = at_most(value, 1e-6, 1e6), at_least(value, 1e-6, 1e6)
    assert low <= value <= high
    assert high / low <= 2.5 * (1 + 1e-9)


@pytest.mark.parametrize(("value", "held"), [(0.001, 1), (1e9, 1000)])
def test_values_beyond_the_bounds_are_held(value: float, held: float) -> None:
    assert at_least(value, 1, 1000) == held
    assert at_most(value, 1, 1000) == held


def test_a_value_of_the_scale_is_its_own_neighbour() -> None:
    for value in scale(1e-3, 1e3):
        assert at_least(value, 1e-3, 1e3) == at_most(value, 1e-3, 1e3) == value
