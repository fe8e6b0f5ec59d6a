import math

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import SettingError
from dpdash.runs.pace import Pace
from dpdash.runs.slots import Lane

CONFIG = RunConfig(epochs=500)


def test_paces_give_epochs_per_second() -> None:
    assert Pace.full_speed().epochs_per_second(CONFIG) is None
    assert Pace.lasting(20).epochs_per_second(CONFIG) == 25
    assert Pace.rate(7).epochs_per_second(CONFIG) == 7


def test_a_pace_that_a_core_can_hardly_keep_needs_a_slot_of_full_speed() -> None:
    assert Pace.lasting(20).lane(CONFIG) is Lane.PACED
    assert Pace.full_speed().lane(CONFIG) is Lane.FULL_SPEED
    assert Pace.lasting(20).lane(RunConfig(epochs=1_000_000)) is Lane.FULL_SPEED


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 1e9])
def test_a_pace_out_of_bounds_says_so(value: float) -> None:
    with pytest.raises(SettingError, match=r"^pace seconds must be between 0.1 and 86400. Received: .* Try 20\.$"):
        Pace.lasting(value)
    with pytest.raises(SettingError, match=r"^epochs per second must be between"):
        Pace.rate(value)
