"""What is written of a step adds up, as it is written."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpdash.core.config import EngineName
from dpdash.core.scaling.waterfall import Duration
from dpdash.findings.scaling.parts import waterfalls
from dpdash.findings.scaling.shown import shown_parts
from tests.unit.findings.scaling.made_up import measured_study


@settings(deadline=None)
@given(data=st.data())
def test_written_parts_add_up_to_the_written_step(data: st.DataObject) -> None:
    seconds = st.floats(0.0001, 10_000)
    study = measured_study(lambda *_of: data.draw(seconds), rounds=1, engines=(EngineName.DDP,))
    (waterfall,) = waterfalls(study)
    shown = shown_parts(waterfall)
    assert sum(shown.parts.values()) == shown.step
    last_digit = Decimal(1).scaleb(int(shown.step.as_tuple().exponent))
    for part, written in shown.parts.items():
        assert abs(written - Decimal(waterfall.parts[part].nanoseconds) / 1_000_000) <= last_digit


@pytest.mark.parametrize(
    ("milliseconds", "written"), [(5.3049, "5.30"), (0.0912, "0.0912"), (123.44, "123.4"), (0.00091, "0.000910")]
)
def test_a_step_has_three_digits(milliseconds: float, written: str) -> None:
    study = measured_study(lambda *_of: milliseconds, rounds=2)
    assert str(shown_parts(waterfalls(study)[0]).step) == written


def test_what_lies_within_two_errors_of_zero_is_less_than_its_bound() -> None:
    assert Duration(-30, 20).is_lost_in_noise and Duration(40, 20).is_lost_in_noise
    assert not Duration(41, 20).is_lost_in_noise
    assert not Duration(0, 0).is_lost_in_noise, "nothing is known of its error"
    assert Duration(-30, 20).bound == Duration(70, 0)
