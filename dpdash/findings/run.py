"""What is happening in a run, said from its own numbers, with one change to try.

A verdict is a template with its numbers, so that it can be translated and its numbers written as the reader's
language writes them.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import numpy as np

from dpdash.core.config import TRUE_SLOPE, RunConfig
from dpdash.core.errors import N_
from dpdash.core.events import RunDiverged
from dpdash.core.history import Floats, HistorySnapshot
from dpdash.findings import own_data
from dpdash.findings.suggestion import LOWER, Chances, Suggestion, Target, first

AT_FLOOR_EXCESS: Final = 0.02
"""A loss within 2 % of the best that a line can reach counts as there: further training moves the third digit."""
NEGLIGIBLE_FRACTION: Final = 1e-6
"""Without noise the best loss is 0; what is left of the first loss below this part counts as nothing."""
NOISE_WINS_ERROR: Final = 0.05 * TRUE_SLOPE
"""The best line's slope is off by more than 5 %: then the data, not the training, is what limits."""
GROWTH_FACTOR: Final = 2.0
"""A loss that is at least twice the lowest one so far grows; Adam's small waves stay below."""
SWING: Final = 1.1
"""A loss rises, or falls, where it changes by a tenth; what it does at the noise floor does not count."""
WINDOW_FRACTION: Final = 0.25
"""The trend is that of the last quarter of the epochs trained, and of none before the rate was last moved."""
MIN_TREND_EPOCHS: Final = 8
TOO_SLOW_FACTOR: Final = 3.0
"""Needing more than three times the epochs that are left is not a matter of patience but of settings."""
FAR_EPOCHS: Final = 1_000_000
"""A projection beyond this is as good as never, and is said so."""


class VerdictKind(StrEnum):
    """What can be said about a run."""

    DIVERGED = "diverged"
    GROWING = "growing"
    OSCILLATING = "oscillating"
    AT_FLOOR = "at_floor"
    NOISE_WINS = "noise_wins"
    TOO_SLOW = "too_slow"
    STANDING_STILL = "standing_still"
    STILL_FALLING = "still_falling"
    JUST_BEGUN = "just_begun"
    JUST_CHANGED = "just_changed"


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
    found = _found(config, history, target)
    if found is None or config.data is None:
        return found
    suggestion = found.suggestion if found.suggestion and own_data.is_possible(found.suggestion) else None
    return replace(found, template=own_data.TEMPLATES.get(found.template, found.template), suggestion=suggestion)


def _found(config: RunConfig, history: HistorySnapshot, target: Target) -> Verdict | None:
    chances = Chances(config, history, target)
    if isinstance(history.ended, RunDiverged):
        return _diverged(history.ended, chances)
    if history.latest is None:
        return None
    run = _Run(config, history, target, history.latest.loss, _window(history, target), chances)
    for look in _LOOKS:
        found = look(run)
        if found is not None:
            return found
    return None


@dataclass(frozen=True, slots=True)
class _Window:
    """The losses that a trend is read from, what lies below the floor's margin counted as lying there."""

    losses: Floats
    lowest: float
    since_epoch: int

    @property
    def turn(self) -> int:
        """Where the losses are lowest, the last time."""
        return len(self.losses) - 1 - int(self.losses[::-1].argmin())


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that has a loss, with what is looked at to say what happens in it."""

    config: RunConfig
    history: HistorySnapshot
    target: Target
    loss: float
    window: _Window
    chances: Chances

    @property
    def is_over(self) -> bool:
        return self.history.status.is_over

    @property
    def ratio(self) -> float | None:
        """The loss, as a multiple of the noise floor; None where there is no noise."""
        return self.loss / self.target.noise_floor if self.target.noise_floor else None


def _diverged(ended: RunDiverged, chances: Chances) -> Verdict:
    return Verdict(
        VerdictKind.DIVERGED,
        N_("Diverged at epoch {epoch}: the updates overshot until the loss was no longer a finite number."),
        {"epoch": ended.epoch},
        chances.slower(0.1),
    )


def _growing(run: _Run) -> Verdict | None:
    """A loss that has risen since it was lowest, and has not turned back."""
    lowest = float(run.history.low[0].min())
    losses, turn = run.window.losses, run.window.turn
    is_far = run.loss > max(
        GROWTH_FACTOR * lowest, _negligible(run.history) + GROWTH_FACTOR * run.target.optimum_loss
    )
    came_down = _fall(losses[: turn + 1]) >= SWING
    if _swings(run.window) or _rise(losses[turn:]) < SWING or (came_down and not is_far):
        return None
    return Verdict(
        VerdictKind.GROWING,
        N_("The loss grew: {loss} at its last epoch {epoch}, {factor} times the lowest one ({lowest}).")
        if run.is_over
        else N_("The loss grows: {loss} at epoch {epoch}, {factor} times the lowest one so far ({lowest})."),
        {
            "loss": run.loss,
            "epoch": run.history.num_epochs,
            "factor": run.loss / lowest if lowest else math.inf,
            "lowest": lowest,
        },
        run.chances.slower(0.1),
    )


def _oscillating(run: _Run) -> Verdict | None:
    losses, turn = run.window.losses, run.window.turn
    if not _swings(run.window) and _rise(losses[turn:]) < SWING:
        return None
    # What is left of the way down may be higher than any swing: it is no part of them.
    highest = float(losses[int((losses / np.minimum.accumulate(losses)).argmax())])
    return Verdict(
        VerdictKind.OSCILLATING,
        N_("It ended while the loss rose and fell: between {lowest} and {highest} since epoch {since}.")
        if run.is_over
        else N_("The loss rises and falls: between {lowest} and {highest} since epoch {since}."),
        {"lowest": run.window.lowest, "highest": highest, "since": run.window.since_epoch},
        run.chances.slower(LOWER),
    )


def _noise_wins(run: _Run) -> Verdict | None:
    if run.config.true_line is None:
        return None
    error = run.target.optimum_slope - run.config.true_line[0]
    if abs(error) <= NOISE_WINS_ERROR or not _is_at_floor(run.history, run.target):
        return None
    return Verdict(
        VerdictKind.NOISE_WINS,
        N_(
            "Noise wins: the line is as good as this data allows, but the best line of these {samples} samples "
            "has the slope {slope}, {error} off the true one."
        ),
        {"samples": run.config.samples, "slope": run.target.optimum_slope, "error": abs(error)},
        first((run.chances.more("samples", 10), run.chances.less_noise(0.1))),
    )


def _at_floor(run: _Run) -> Verdict | None:
    if not _is_at_floor(run.history, run.target):
        return None
    reached = _at_floor_since(run.history, run.target)
    chances = run.chances
    return Verdict(
        VerdictKind.AT_FLOOR,
        N_(
            "At the noise floor since epoch {reached}: the loss {loss} is what the noise leaves; the best line of "
            "this data has {optimum}."
        ),
        {"loss": run.loss, "optimum": run.target.optimum_loss, "reached": reached},
        first((chances.fewer_epochs(reached), chances.faster(2), chances.less_noise(0.5))),
    )


def _unfinished(run: _Run) -> Verdict | None:
    history = run.history
    epochs_needed = _epochs_to_floor(run)
    epochs_left = run.config.epochs - history.num_epochs
    suggestion = first((run.chances.faster(5), run.chances.more("epochs", 2)))
    values = {"loss": run.loss, **({"ratio": run.ratio} if run.ratio is not None else {})}
    if epochs_needed is None:
        return _too_early(run, values, suggestion)
    if math.isinf(epochs_needed):
        return Verdict(
            VerdictKind.STANDING_STILL,
            _one_of(
                run,
                N_("Standing still: the loss no longer falls, at {loss}, {ratio} times the noise floor."),
                N_("Standing still: the loss no longer falls, at {loss}."),
                N_("It ended standing still: the loss no longer fell, at {loss}, {ratio} times the noise floor."),
                N_("It ended standing still: the loss no longer fell, at {loss}."),
            ),
            values,
            run.chances.slower(0.5),
        )
    values["needed"] = math.ceil(epochs_needed)
    if not run.is_over and epochs_needed > TOO_SLOW_FACTOR * max(epochs_left, 1):
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
    if run.is_over and epochs_needed > TOO_SLOW_FACTOR * history.num_epochs:
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
        _one_of(
            run,
            N_("Still falling: {ratio} times the noise floor, about {needed} epochs from it at this speed."),
            N_("Still falling: the loss is {loss}; without noise it can fall to 0."),
            N_(
                "It ended while the loss was falling: {ratio} times the noise floor, about {needed} epochs from "
                "it at this speed."
            ),
            N_("It ended while the loss was falling: it is {loss}; without noise it can fall to 0."),
        ),
        values,
        suggestion,
    )


def _too_early(run: _Run, values: Mapping[str, float], suggestion: Suggestion | None) -> Verdict:
    """The verdict of too few epochs to see a trend: since the start, or since the rate was moved."""
    if run.history.learning_rate_changes:
        return Verdict(
            VerdictKind.JUST_CHANGED,
            N_("It ended too soon after its learning rate was changed to say more: the loss is {loss}.")
            if run.is_over
            else N_("Just changed: since epoch {since} the learning rate is another one. The loss is {loss}."),
            {"loss": run.loss, "since": run.window.since_epoch},
        )
    return Verdict(
        VerdictKind.JUST_BEGUN,
        _one_of(
            run,
            N_("Just begun: the loss {loss} is {ratio} times the noise floor."),
            N_("Just begun: the loss is {loss}."),
            N_(
                "It ended at epoch {epoch}, too early for a trend: the loss {loss} is {ratio} times the noise "
                "floor."
            ),
            N_("It ended at epoch {epoch}, too early for a trend: the loss is {loss}."),
        ),
        {**values, "epoch": run.history.num_epochs},
        suggestion,
    )


_LOOKS: Final[tuple[Callable[[_Run], Verdict | None], ...]] = (
    _growing,
    _oscillating,
    _noise_wins,
    _at_floor,
    _unfinished,
)


def _one_of(run: _Run, with_floor: str, without: str, ended: str, ended_without: str) -> str:
    """The sentence that is true of a run: with a noise floor or without, while it trains or once it is over."""
    if run.is_over:
        return ended_without if run.ratio is None else ended
    return without if run.ratio is None else with_floor


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


def _window(history: HistorySnapshot, target: Target) -> _Window:
    """The losses of the last quarter of the epochs, and of none that an earlier learning rate led to."""
    span = max(int(history.num_epochs * WINDOW_FRACTION), MIN_TREND_EPOCHS)
    changes = history.learning_rate_changes
    since = min(max(history.num_epochs - span, changes[-1].epoch if changes else 1, 1), history.num_epochs)
    first_bucket = (since - 1) // history.width
    columns = (history.first, history.low, history.high, history.last)
    epochs = (
        history.first_epoch_of_bucket,
        history.low_epoch[0],
        history.high_epoch[0],
        history.last_epoch_of_bucket,
    )
    order = np.argsort(np.concatenate([column[first_bucket:] for column in epochs]), kind="stable")
    losses = np.concatenate([column[0, first_bucket:] for column in columns])[order]
    floor = max(_floor_loss(history, target), sys.float_info.min)
    return _Window(np.maximum(losses, floor), float(losses.min()), since)


def _rise(losses: Floats) -> float:
    """The largest factor by which a loss is above an earlier one."""
    return float((losses / np.minimum.accumulate(losses)).max())


def _fall(losses: Floats) -> float:
    """The largest factor by which a loss is below an earlier one."""
    return float((np.maximum.accumulate(losses) / losses).max())


def _swings(window: _Window) -> bool:
    """Whether the losses rose before they were lowest, or fell after: then they did both."""
    turn = window.turn
    return max(_rise(window.losses[: turn + 1]), _fall(window.losses[turn:])) >= SWING


def _epochs_to_floor(run: _Run) -> float | None:
    """Epochs to the noise floor if the excess loss goes on falling at its latest rate; inf when it does not fall.

    None while there are too few epochs to see a trend.
    """
    history, optimum = run.history, run.target.optimum_loss
    if history.num_epochs - run.window.since_epoch < MIN_TREND_EPOCHS:
        return None
    before = history.row(run.window.since_epoch)
    assert before is not None
    span = history.num_epochs - before.epoch
    excess_before = before.loss - optimum
    excess = run.loss - optimum
    if excess_before <= 0 or excess >= excess_before or span == 0:
        return math.inf
    rate = math.log(excess_before / excess) / span
    goal = _floor_loss(history, run.target) - optimum
    return math.log(excess / goal) / rate if rate > 0 else math.inf
