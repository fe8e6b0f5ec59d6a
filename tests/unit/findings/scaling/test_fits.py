"""The laws are recovered from exact curves, and what they cannot describe is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.scaling.curve import Curve
from dpdash.core.scaling.plan import ScalingMode
from dpdash.findings.scaling.fits import LAWS, amdahl, fit, fit_speed_ups, gustafson
from tests.unit.sweeps.conftest import REPLICAS

SHARES = st.floats(0, 1)
COUNTS = st.lists(st.integers(2, 64), min_size=1, max_size=8, unique=True)
MODES = st.sampled_from(ScalingMode)


@given(share=SHARES, counts=COUNTS, mode=MODES)
def test_an_exact_curve_gives_its_serial_share_back(share: float, counts: list[int], mode: ScalingMode) -> None:
    found = fit_speed_ups(counts, [max(1.0, LAWS[mode](share, count)) for count in counts], mode)
    assert found.serial_share == pytest.approx(share, abs=1e-6)
    for count in counts:
        assert found.speed_up(count) == pytest.approx(LAWS[mode](share, count), rel=1e-4)


@given(counts=COUNTS, mode=MODES, data=st.data())
def test_a_share_is_one_whatever_was_measured(counts: list[int], mode: ScalingMode, data: st.DataObject) -> None:
    speed_ups = data.draw(st.lists(st.floats(0.01, 200), min_size=len(counts), max_size=len(counts)))
    found = fit_speed_ups(counts, speed_ups, mode)
    assert 0 <= found.serial_share <= 1
    if min(speed_ups) < 1:
        assert not found.describes


def test_more_than_ideal_is_no_serial_share() -> None:
    found = fit_speed_ups([2, 4], [2.2, 4.5], ScalingMode.STRONG)
    assert (found.serial_share, found.describes) == (0.0, True)


def test_slower_than_one_device_is_not_described() -> None:
    for mode in ScalingMode:
        assert not fit_speed_ups([2, 3], [0.4, 0.3], mode).describes


def test_the_laws_at_their_ends() -> None:
    assert amdahl(0, 8) == gustafson(0, 8) == 8
    assert amdahl(1, 8) == gustafson(1, 8) == 1
    assert amdahl(0.5, 1e9) == pytest.approx(2)


def test_one_device_alone_has_no_fit() -> None:
    assert fit(Curve(REPLICAS, 8, emulated=True, points=()), ScalingMode.STRONG) is None
