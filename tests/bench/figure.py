"""A measured figure, and whether it meets its target."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Bound = Literal["at least", "at most"]


@dataclass(frozen=True)
class Figure:
    """The median of several measurements; without a target it is for information."""

    name: str
    counted: str
    """What was measured, how often, and what is counted."""
    values: tuple[float, ...]
    unit: str = ""
    bound: Bound | None = None
    target: float = 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool | None:
        """None where there is no target."""
        if self.bound is None:
            return None
        return self.median >= self.target if self.bound == "at least" else self.median <= self.target

    def cells(self) -> tuple[str, str, str, str, str]:
        """Name, median, range, target and whether it is met, as a table shows them."""
        low, high = min(self.values), max(self.values)
        return (
            self.name,
            self._written(self.median),
            f"{low:,.3g} – {high:,.3g}" if len(self.values) > 1 else "",
            f"{self.bound} {self._written(self.target)}" if self.bound else "–",
            {None: "–", True: "yes", False: "no"}[self.is_met],
        )

    def json(self) -> dict[str, Any]:
        return asdict(self) | {
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "met": self.is_met,
        }

    def _written(self, value: float) -> str:
        number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
        return f"{number} {self.unit}".strip() if self.unit != "×" else f"{number} ×"


def pairwise(tops: Sequence[float], bottoms: Sequence[float]) -> tuple[float, ...]:
    """Each pair's ratio: what slows a machine down slows both halves of a pair."""
    return tuple(top / bottom for top, bottom in zip(tops, bottoms, strict=True))
