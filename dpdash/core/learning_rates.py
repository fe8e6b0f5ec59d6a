"""The learning rates of a run: of its warm-up, and those that it was moved to while it trained."""

from collections.abc import Iterable
from typing import Final

from dpdash.core.config import RunConfig, bounds
from dpdash.core.events import LearningRateChanged

WARMUP_FACTOR: Final = 0.1
"""Of the learning rate that is set, what the first epoch of a warm-up has."""


def set_for(config: RunConfig, epoch: int) -> float:
    """The learning rate of an epoch by the settings alone: while a run warms up, that of torch's `LinearLR`."""
    rate, num_epochs = config.learning_rate, config.warmup_epochs
    if epoch > num_epochs:
        return rate
    return rate * (WARMUP_FACTOR + (1 - WARMUP_FACTOR) * (epoch - 1) / num_epochs)


def moves(config: RunConfig, changes: Iterable[LearningRateChanged]) -> tuple[LearningRateChanged, ...]:
    """The changes that made a difference: the last of each epoch, where it is another rate than before.

    The first one while a run warms up always does, because it ends the warm-up.
    """
    last_of_epoch = {change.epoch: change for change in changes}
    found: list[LearningRateChanged] = []
    rate = config.learning_rate
    for epoch, change in sorted(last_of_epoch.items()):
        ends_warmup = not found and epoch <= config.warmup_epochs
        if ends_warmup or change.learning_rate != rate:
            found.append(change)
            rate = change.learning_rate
    return tuple(found)


def in_force(config: RunConfig, changes: Iterable[LearningRateChanged]) -> RunConfig:
    """The settings with the learning rate that the run has now, or had at its end."""
    moved = moves(config, changes)
    if not moved:
        return config
    low, high = bounds("learning_rate")
    # A file from elsewhere may hold any number.
    return config.model_copy(update={"learning_rate": min(max(moved[-1].learning_rate, low), high)})
