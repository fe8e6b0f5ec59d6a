"""The learning rate of a run: its own at first, perhaps after a warm-up, and then those that were asked for."""

import numpy as np
from numpy.typing import NDArray
from torch import optim

from dpdash.core.config import RunConfig
from dpdash.core.events import LearningRateChanged
from dpdash.core.learning_rates import set_for


class LearningRates:
    """What the optimizer uses now, and what it is to use at later epochs.

    A run that goes on takes the learning rates again that it had behind its checkpoint, each at its epoch, until
    somebody asks for another one. While it warms up the learning rate rises from epoch to epoch; the first one
    that somebody asks for ends that.
    """

    def __init__(self, optimizer: optim.Optimizer, config: RunConfig) -> None:
        self._optimizer, self._config = optimizer, config
        self._replays: tuple[LearningRateChanged, ...] = ()
        self.is_moved = False
        """Whether somebody has asked for another one, so that the settings do not tell it any more."""
        self._use(set_for(config, 1))

    def restore(self, current: float, replays: tuple[LearningRateChanged, ...], *, is_moved: bool) -> None:
        """Go on with a learning rate, and take others again at their epochs, which are in order."""
        self._use(current)
        self._replays, self.is_moved = replays, is_moved

    def enter(self, epoch: int) -> None:
        """Use the learning rate of an epoch that is to be trained, where the settings say it."""
        if self._config.warmup_epochs and self._rises_at(epoch - 1):
            self._use(set_for(self._config, epoch))

    def of(self, first_epoch: int, num_epochs: int) -> NDArray[np.float64]:
        """The learning rates of so many epochs that were trained since somebody last asked for one."""
        if not self._rises_at(first_epoch):
            return np.full(num_epochs, self.current)
        return np.array([set_for(self._config, first_epoch + index) for index in range(num_epochs)])

    def replays_after(self, num_epochs: int) -> tuple[LearningRateChanged, ...]:
        """Those of the epochs behind so many."""
        return tuple(change for change in self._replays if change.epoch > num_epochs)

    def replays_at(self, epoch: int) -> tuple[LearningRateChanged, ...]:
        """Those that are to be taken again before an epoch is trained."""
        return tuple(change for change in self._replays if change.epoch == epoch)

    def steady_until(self, epoch: int, last: int) -> int:
        """The epoch, at most `last`, up to which the learning rate stays that of `epoch`."""
        if self._rises_at(epoch):
            return epoch
        return min([last, *(change.epoch - 1 for change in self._replays if change.epoch > epoch)])

    def replay(self, change: LearningRateChanged) -> None:
        """Use a learning rate that the run had at this epoch before."""
        self._use(change.learning_rate)
        self.is_moved = True

    def ask(self, value: float, num_epochs: int) -> bool:
        """Use what somebody asks for after so many epochs, and take no other again; whether that is a change."""
        epoch = num_epochs + 1
        if value == self.current and not self.replays_after(num_epochs) and not self._rises_at(epoch):
            return False
        self._replays = ()
        self._use(value)
        self.is_moved = True
        return True

    def _rises_at(self, epoch: int) -> bool:
        """Whether the epoch behind this one has a higher learning rate by the settings."""
        return epoch <= self._config.warmup_epochs and not self.is_moved

    def _use(self, value: float) -> None:
        self.current = value
        for group in self._optimizer.param_groups:
            group["lr"] = value
