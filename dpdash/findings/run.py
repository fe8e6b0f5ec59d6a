"""What is happening in a run, said from its own numbers, with one change to try.

A verdict is a template with its numbers, so that it can be translated and its numbers written as the reader's
language writes them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np

from dpdash.core.config import TRUE_SLOPE, OptimizerName, RunConfig, bounds
from dpdash.core.errors import N_
from dpdash.core.events import RunDiverged
from dpdash.core.history import HistorySnapshot
from dpdash.core.scales import at_least, at_most

AT_FLOOR_EXCESS: Final = 0.02
"""A loss within 2 % of the best that a line can reach counts as there: further training moves the third digit."""
NEGLIGIBLE_FRACTION: Final = 1e-6
"""Without noise the best loss is 0; what is left of the first loss below this part counts as nothing."""
NOISE_WINS_ERROR: Final = 0.05 * TRUE_SLOPE
"""The best line's slope is off by more than 5 %: then the data, not the training, is what limits."""
GROWTH_FACTOR: Final = 2.0
"""A loss that is at least twice the lowest one so far grows; Adam's small waves stay below."""
WINDOW_FRACTION: Final = 0.25
"""The trend is that of the last quarter of the epochs trained."""
MIN_TREND_EPOCHS: Final = 8
TOO_SLOW_FACTOR: Final = 3.0
"""Needing more than three times the epochs that are left is not a matter of patience but of settings."""
FAR_EPOCHS: Final = 1_000_000
"""A projection beyond this is as good as never, and is said so."""


class VerdictKind(StrEnum):
    """What can be said about a run."""

    DIVERGED = "diverged"
    GROWING = "growing"
    AT_FLOOR = "at_floor"
    NOISE_WINS = "noise_wins"
    TOO_SLOW = "too_slow"
    STANDING_STILL = "standing_still"
    STILL_FALLING = "still_falling"


@dataclass(frozen=True, slots=True)
class Target:
    """What a run is measured against: the best line of its own data, and the noise in it."""

    optimum_slope: float
    optimum_loss: float
    noise_floor: float
    mean_square_x: float
    bounds: Callable[[str], tuple[float, float]] = bounds
    """Lowest and highest value of a setting that may be suggested."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One setting to change for the next run."""

    setting: str
    value: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence about a run, as a template and its numbers, and what to try."""

    kind: VerdictKind
    template: str
    values: Mapping[str, float] = field(default_factory=dict)
    suggestion: Suggestion | None = None

    def __str__(self) -> str:
        return self.template.format(**{name: f"{value:.3g}" for name, value in self.values.items()})


def verdict(config: RunConfig, history: HistorySnapshot, target: Target) -> Verdict | None:
    """Say what is happening; None before there is anything to say."""
    if isinstance(history.ended, RunDiverged):
        return _diverged(config, history.ended)
    if history.latest is None:
        return None
    for look in _LOOKS:
        found = look(config, history, target)
        if found is not None:
            return found
    return None


def _diverged(config: RunConfig, ended: RunDiverged) -> Verdict:
    return Verdict(
        VerdictKind.DIVERGED,
        N_("Diverged at epoch {epoch}: the updates overshot until the loss was no longer a finite number."),
        {"epoch": ended.epoch},
        _lower_learning_rate(config, 0.1),
    )


def _growing(config: RunConfig, history: HistorySnapshot, target: Target) -> Verdict | None:
    assert history.latest is not None
    lowest = float(history.low[0].min())
    latest = history.latest.loss
    threshold = max(GROWTH_FACTOR * lowest, _negligible(history) + GROWTH_FACTOR * target.optimum_loss)
    if latest <= threshold:
        return None
    return Verdict(
        VerdictKind.GROWING,
        N_("The loss grows: {loss} at epoch {epoch}, {factor} times the lowest one so far ({lowest})."),
        {
            "loss": latest,
            "epoch": history.num_epochs,
            "factor": latest / lowest if lowest else math.inf,
            "lowest": lowest,
        },
        _lower_learning_rate(config, 0.1),
    )


def _noise_wins(config: RunConfig, history: HistorySnapshot, target: Target) -> Verdict | None:
    error = target.optimum_slope - TRUE_SLOPE
    if abs(error) <= NOISE_WINS_ERROR or not _is_at_floor(history, target):
        return None
    more = at_least(10 * config.samples, *target.bounds("samples"))
    suggestion = Suggestion("samples", more) if more > config.samples else Suggestion("noise", config.noise / 10)
    return Verdict(
        VerdictKind.NOISE_WINS,
        N_(
            "Noise wins: the line is as good as this data allows, but the best line of these {samples} samples "
            "has the slope {slope}, {error} off the true one."
        ),
        {"samples": config.samples, "slope": target.optimum_slope, "error": abs(error)},
        suggestion,
    )


def _at_floor(config: RunConfig, history: HistorySnapshot, target: Target) -> Verdict | None:
    if not _is_at_floor(history, target):
        return None
    assert history.latest is not None
    reached = _at_floor_since(history, target)
    values = {"loss": history.latest.loss, "optimum": target.optimum_loss, "reached": reached}
    fewer = at_least(reached, *target.bounds("epochs"))
    if fewer < config.epochs:
        suggestion = Suggestion("epochs", fewer)
    else:
        suggestion = _higher_learning_rate(config, target, 2) or Suggestion("noise", config.noise / 2)
    return Verdict(
        VerdictKind.AT_FLOOR,
        N_(
            "At the noise floor since epoch {reached}: the loss {loss} is what the noise leaves; the best line of "
            "this data has {optimum}."
        ),
        values,
        suggestion,
    )


def _unfinished(config: RunConfig, history: HistorySnapshot, target: Target) -> Verdict | None:
    assert history.latest is not None
    loss = history.latest.loss
    ratio = loss / target.noise_floor if target.noise_floor else None
    epochs_needed = _epochs_to_floor(history, target)
    epochs_left = config.epochs - history.num_epochs
    faster = _higher_learning_rate(config, target, 5)
    suggestion = faster or _more_epochs(config, target)
    values = {"loss": loss, **({"ratio": ratio} if ratio is not None else {})}
    if epochs_needed is None:
        return Verdict(
            VerdictKind.STILL_FALLING,
            _with_or_without_floor(
                ratio,
                N_("Just begun: the loss {loss} is {ratio} times the noise floor."),
                N_("Just begun: the loss is {loss}."),
            ),
            values,
            suggestion,
        )
    if math.isinf(epochs_needed):
        return Verdict(
            VerdictKind.STANDING_STILL,
            _with_or_without_floor(
                ratio,
                N_("Standing still: the loss no longer falls, at {loss}, {ratio} times the noise floor."),
                N_("Standing still: the loss no longer falls, at {loss}."),
            ),
            values,
            _lower_learning_rate(config, 0.5),
        )
    values["needed"] = math.ceil(epochs_needed)
    if history.ended is None and epochs_needed > TOO_SLOW_FACTOR * max(epochs_left, 1):
        template = N_(
            "Too slow: at this speed the loss {loss} needs {needed} more epochs to reach the noise floor; "
            "{left} are left."
        )
        values["left"] = epochs_left
        if epochs_needed > FAR_EPOCHS:
            template = N_(
                "Too slow: at this speed the loss {loss} will not reach the noise floor in a million epochs."
            )
        return Verdict(VerdictKind.TOO_SLOW, template, values, suggestion)
    if history.ended is not None and epochs_needed > TOO_SLOW_FACTOR * history.num_epochs:
        return Verdict(
            VerdictKind.TOO_SLOW,
            N_(
                "Too slow: after {epochs} epochs the loss is {loss}; at this speed the noise floor is more than "
                "{times} times as many epochs away."
            ),
            {**values, "epochs": history.num_epochs, "times": math.floor(epochs_needed / history.num_epochs)},
            suggestion,
        )
    return Verdict(
        VerdictKind.STILL_FALLING,
        _with_or_without_floor(
            ratio,
            N_("Still falling: {ratio} times the noise floor, about {needed} epochs from it at this speed."),
            N_("Still falling: the loss is {loss}; without noise it can fall to 0."),
        ),
        values,
        suggestion,
    )


_LOOKS: Final[tuple[Callable[[RunConfig, HistorySnapshot, Target], Verdict | None], ...]] = (
    _growing,
    _noise_wins,
    _at_floor,
    _unfinished,
)


def _with_or_without_floor(ratio: float | None, with_floor: str, without: str) -> str:
    return without if ratio is None else with_floor


def _negligible(history: HistorySnapshot) -> float:
    return NEGLIGIBLE_FRACTION * float(history.first[0, 0])


def _floor_loss(history: HistorySnapshot, target: Target) -> float:
    """Loss under which a run counts as having arrived."""
    return (1 + AT_FLOOR_EXCESS) * target.optimum_loss + _negligible(history)


def _is_at_floor(history: HistorySnapshot, target: Target) -> bool:
    assert history.latest is not None
    return history.latest.loss <= _floor_loss(history, target)


def _at_floor_since(history: HistorySnapshot, target: Target) -> int:
    """The epoch after the last one above; where epochs are kept in buckets, after the bucket of that one."""
    above = np.flatnonzero(history.high[0] > _floor_loss(history, target))
    if not above.size:
        return 1
    return min(int(history.last_epoch_of_bucket[above[-1]]) + 1, history.num_epochs)


def _epochs_to_floor(history: HistorySnapshot, target: Target) -> float | None:
    """Epochs to the noise floor if the excess loss goes on falling at its latest rate; inf when it does not fall.

    None while there are too few epochs to see a trend.
    """
    window = max(int(history.num_epochs * WINDOW_FRACTION), MIN_TREND_EPOCHS)
    if history.num_epochs <= window:
        return None
    assert history.latest is not None
    before = history.row(history.num_epochs - window)
    assert before is not None
    span = history.num_epochs - before.epoch
    excess_before = before.loss - target.optimum_loss
    excess = history.latest.loss - target.optimum_loss
    if excess_before <= 0 or excess >= excess_before or span == 0:
        return math.inf
    rate = math.log(excess_before / excess) / span
    goal = _floor_loss(history, target) - target.optimum_loss
    return math.log(excess / goal) / rate if rate > 0 else math.inf


def _lower_learning_rate(config: RunConfig, factor: float) -> Suggestion | None:
    lower = at_most(config.learning_rate * factor, *bounds("learning_rate"))
    return Suggestion("learning_rate", lower) if lower < config.learning_rate else None


def _higher_learning_rate(config: RunConfig, target: Target, factor: float) -> Suggestion | None:
    """A learning rate up to `factor` times as high; for plain SGD never beyond where a line's loss diverges.

    Gradient descent on a quadratic is stable below 2 / (largest curvature), and fastest near half of that
    (Goh, "Why Momentum Really Works", Distill 2017). The curvature of a line's mean squared error is 2 E[x²].
    """
    wanted = config.learning_rate * factor
    if config.optimizer in (OptimizerName.SGD, OptimizerName.SGD_MOMENTUM):
        wanted = min(wanted, 1 / (2 * max(target.mean_square_x, 1.0)))
    higher = at_most(wanted, *bounds("learning_rate"))
    return Suggestion("learning_rate", higher) if higher > config.learning_rate else None


def _more_epochs(config: RunConfig, target: Target) -> Suggestion | None:
    more = at_least(2 * config.epochs, *target.bounds("epochs"))
    return Suggestion("epochs", more) if more > config.epochs else None
