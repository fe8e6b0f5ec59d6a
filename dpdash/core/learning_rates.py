"""The learning rates of a run that was moved while it trained: as much a part of it as its settings."""

from collections.abc import Iterable

from dpdash.core.config import RunConfig, bounds
from dpdash.core.events import LearningRateChanged


def moves(config: RunConfig, changes: Iterable[LearningRateChanged]) -> tuple[LearningRateChanged, ...]:
    """The changes that made a difference: the last of each epoch, where it is another rate than before."""
    last_of_epoch = {change.epoch: change for change in changes}
    found, rate = [], config.learning_rate
    for _epoch, change in sorted(last_of_epoch.items()):
        if change.learning_rate != rate:
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
