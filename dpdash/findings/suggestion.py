"""One change to try for the next run: never one that the run itself, or its sweep, has shown to be worse."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from dpdash.core.config import OptimizerName, RunConfig, bounds
from dpdash.core.history import HistorySnapshot
from dpdash.core.learning_rates import in_force
from dpdash.core.scales import at_least, at_most, scale

LOWER: Final = 0.2
"""Times the rate at which a loss swings: enough that it mostly stops, and no crawl."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A value of a setting that other trials of a run's sweep have had, all else equal, and what came of it."""

    setting: str
    value: float
    is_worse: bool


@dataclass(frozen=True, slots=True)
class Target:
    """What a run is measured against: the best line of its own data, the noise in it, and its sweep."""

    optimum_slope: float
    optimum_loss: float
    noise_floor: float
    mean_square_x: float
    bounds: Callable[[str], tuple[float, float]] = bounds
    """Lowest and highest value of a setting that may be suggested."""
    tried: tuple[Tried, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One setting to change for the next run."""

    setting: str
    value: float


@dataclass(frozen=True, slots=True)
class Chances:
    """What may be suggested for a run."""

    config: RunConfig
    history: HistorySnapshot
    target: Target

    @property
    def learning_rate(self) -> float:
        """The one in force."""
        return in_force(self.config, self.history.learning_rate_changes).learning_rate

    def slower(self, factor: float) -> Suggestion | None:
        """A learning rate about `factor` times as high, which is below 1."""
        return self._rate(at_most(self.learning_rate * factor, *bounds("learning_rate")))

    def faster(self, factor: float) -> Suggestion | None:
        """A learning rate up to `factor` times as high; for plain SGD never beyond where a line's loss diverges.

        Gradient descent on a quadratic is stable below 2 / (largest curvature), and fastest near half of that
        (Goh, "Why Momentum Really Works", Distill 2017). The curvature of a line's mean squared error is 2 E[x²].
        """
        wanted = self.learning_rate * factor
        if self.config.optimizer in (OptimizerName.SGD, OptimizerName.SGD_MOMENTUM):
            wanted = min(wanted, 1 / (2 * max(self.target.mean_square_x, 1.0)))
        higher = at_most(wanted, *bounds("learning_rate"))
        return self._rate(higher) if higher > self.learning_rate else None

    def more(self, setting: str, factor: float) -> Suggestion | None:
        """About `factor` times as many of something that is counted."""
        now = float(getattr(self.config, setting))
        return self._allowed(setting, now, at_least(factor * now, *self.target.bounds(setting)))

    def fewer_epochs(self, enough: int) -> Suggestion | None:
        """As few epochs as are enough."""
        now = float(self.config.epochs)
        wanted = at_least(enough, *self.target.bounds("epochs"))
        return self._allowed("epochs", now, wanted) if wanted < now else None

    def less_noise(self, factor: float) -> Suggestion | None:
        """Data with less noise."""
        return self._allowed("noise", self.config.noise, self.config.noise * factor)

    def _rate(self, wanted: float) -> Suggestion | None:
        """A learning rate short of the nearest one that way which this run has had and left."""
        now, changes = self.learning_rate, self.history.learning_rate_changes
        left = {self.config.learning_rate, *(change.learning_rate for change in changes)} - {now}
        if any(_lies_between(rate, now, wanted) for rate in left):
            nearest = min(
                (rate for rate in left if (rate > now) == (wanted > now)), key=lambda rate: abs(rate - now)
            )
            rates = (rate for rate in scale(*bounds("learning_rate")) if rate != nearest)
            between = [rate for rate in rates if _lies_between(rate, now, nearest)]
            if not between:
                return None
            wanted = max(between, key=lambda rate: abs(rate - now))
        return self._allowed("learning_rate", now, wanted)

    def _allowed(self, setting: str, now: float, wanted: float) -> Suggestion | None:
        """The suggestion, held to what the sweep has not shown to be worse; None where nothing is left of it."""
        tried = (one for one in self.target.tried if one.setting == setting and one.value != now)
        that_way = [one for one in tried if (one.value > now) == (wanted > now)]
        that_way.sort(key=lambda one: abs(one.value - now))
        good = list(takewhile(lambda one: not one.is_worse, that_way))
        if len(good) < len(that_way):
            if not good:
                return None
            wanted = min(wanted, good[-1].value, key=lambda value: abs(value - now))
        return Suggestion(setting, wanted) if wanted != now else None


def first(suggestions: Iterable[Suggestion | None]) -> Suggestion | None:
    """The first of some suggestions that there is."""
    return next((one for one in suggestions if one is not None), None)


def _lies_between(value: float, start: float, end: float) -> bool:
    """Whether a value lies beyond the start and not beyond the end."""
    return start < value <= end or end <= value < start
