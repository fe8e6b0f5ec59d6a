"""The learning rate of a run: its own at first, and then those that were asked for."""

from torch import optim

from dpdash.core.events import LearningRateChanged


class LearningRates:
    """What the optimizer uses now, and what it is to use at later epochs.

    A run that goes on takes the learning rates again that it had behind its checkpoint, each at its epoch, until
    somebody asks for another one.
    """

    def __init__(self, optimizer: optim.Optimizer, current: float) -> None:
        self._optimizer = optimizer
        self.current = current
        self._replays: tuple[LearningRateChanged, ...] = ()

    def restore(self, current: float, replays: tuple[LearningRateChanged, ...]) -> None:
        """Go on with a learning rate, and take others again at their epochs, which are in order."""
        self._use(current)
        self._replays = replays

    def replays_after(self, num_epochs: int) -> tuple[LearningRateChanged, ...]:
        """Those of the epochs behind so many."""
        return tuple(change for change in self._replays if change.epoch > num_epochs)

    def replays_at(self, epoch: int) -> tuple[LearningRateChanged, ...]:
        """Those that are to be taken again before an epoch is trained."""
        return tuple(change for change in self._replays if change.epoch == epoch)

    def steady_until(self, epoch: int, last: int) -> int:
        """The epoch, at most `last`, up to which nothing is taken again behind `epoch`."""
        return min([last, *(change.epoch - 1 for change in self._replays if change.epoch > epoch)])

    def replay(self, change: LearningRateChanged) -> None:
        """Use a learning rate that the run had at this epoch before."""
        self._use(change.learning_rate)

    def ask(self, value: float, num_epochs: int) -> bool:
        """Use what somebody asks for after so many epochs, and take no other again; whether that is a change."""
        if value == self.current and not self.replays_after(num_epochs):
            return False
        self._replays = ()
        self._use(value)
        return True

    def _use(self, value: float) -> None:
        self.current = value
        for group in self._optimizer.param_groups:
            group["lr"] = value
