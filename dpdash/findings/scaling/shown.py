"""Parts of a step as they are written: with some decimals, and adding up in these to the step as it is written."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from dpdash.core.scaling.waterfall import Duration, Part, Waterfall

DIGITS: Final = 3
"""Significant ones of a step."""
LEAST_DECIMALS: Final = 1
MOST_DECIMALS: Final = 6
"""Of a millisecond: a nanosecond."""
PER_NANOSECOND: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class ShownParts:
    """Milliseconds of a step and its parts, all with the same decimals."""

    step: Decimal
    parts: Mapping[Part, Decimal]
    """In the order of `Part`; they add up to `step`."""

    def written(self, duration: Duration) -> Decimal:
        """Another time, with the decimals of these."""
        return _rounded(duration.nanoseconds, self.step)


def shown_parts(waterfall: Waterfall) -> ShownParts:
    """A step and its parts for a person to read.

    Not each part is rounded but what the step has come to with it: so a part may be off by one in its last digit,
    and the sum is not.
    """
    unit = _unit(waterfall.step)
    level, shown, parts = 0, _rounded(0, unit), {}
    for part, duration in waterfall.parts.items():
        level += duration.nanoseconds
        risen = _rounded(level, unit)
        parts[part] = risen - shown
        shown = risen
    return ShownParts(shown, parts)


def _unit(step: Duration) -> Decimal:
    """A number with as many decimals as a step is written with."""
    whole = math.floor(math.log10(max(step.milliseconds, 1e-6))) + 1
    decimals = min(max(DIGITS - whole, LEAST_DECIMALS), MOST_DECIMALS)
    return Decimal(1).scaleb(-decimals)


def _rounded(nanoseconds: int, unit: Decimal) -> Decimal:
    return (nanoseconds * PER_NANOSECOND).quantize(unit)
