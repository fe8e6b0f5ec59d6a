"""The 1-2-5 scale on which settings that span decades move."""

import math
from typing import Final

STEPS: Final = (1, 2, 5)


def scale(low: float, high: float) -> tuple[float, ...]:
    """All values 1, 2 and 5 times a power of ten from `low` to `high`, both included when they are such values."""
    assert 0 < low <= high
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = (float(f"{step}e{exponent}") for exponent in exponents for step in STEPS)
    return tuple(value for value in values if low <= value <= high)


def at_least(value: float, low: float, high: float) -> float:
    """The smallest value of the scale that is not below `value`, held within the bounds."""
    return next((step for step in scale(low, high) if step >= value), high)


def at_most(value: float, low: float, high: float) -> float:
    """The largest value of the scale that is not above `value`, held within the bounds."""
    return next((step for step in reversed(scale(low, high)) if step <= value), low)
