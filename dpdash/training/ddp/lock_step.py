"""Keeps the ranks of DDP together: none enters an epoch, or takes part in a trace, before the leader does."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import optim

from dpdash.training.ddp.sharded import Ranks
from dpdash.training.loop.epoch import EpochTrainer


def in_step(
    trainer: EpochTrainer, optimizer: optim.Optimizer, ranks: Ranks, take_part: Callable[[optim.Optimizer], None]
) -> EpochTrainer:
    """The same training, in which no rank enters an epoch before the leader does.

    In between, the other ranks `take_part` in each trace that it asks for.
    """
    if ranks.is_leader:
        return _Leading(ranks, trainer, optimizer)
    return _Following(ranks, trainer, optimizer, partial(take_part, optimizer))


class _Leading:
    """The leader's training: it releases each epoch as it enters it."""

    def __init__(self, ranks: Ranks, trainer: EpochTrainer, optimizer: optim.Optimizer) -> None:
        self._word, self._trainer = ranks.word, trainer
        self._group = optimizer.param_groups[0]
        self._learning_rate: float | None = None
        self._num_epochs = 0
        self.losses = trainer.losses

    def train(self, row: int) -> None:
        learning_rate = self._group["lr"]
        if learning_rate != self._learning_rate:
            self._word.set_learning_rate(learning_rate, self._num_epochs)
            self._learning_rate = learning_rate
        self._num_epochs += 1
        self._word.release(self._num_epochs)
        self._trainer.train(row)


class _Following:
    """The training of another rank, which enters no epoch that is not released, at the leader's learning rate."""

    def __init__(
        self, ranks: Ranks, trainer: EpochTrainer, optimizer: optim.Optimizer, take_part: Callable[[], None]
    ) -> None:
        self._word, self._rank, self._trainer, self._take_part = ranks.word, ranks.rank, trainer, take_part
        self._groups: Iterable[dict[str, Any]] = optimizer.param_groups
        self._num_epochs = self._num_traces = 0

    def train(self, row: int) -> None:
        self._num_epochs += 1
        learning_rate = self._entered()
        for group in self._groups:
            group["lr"] = learning_rate
        self._trainer.train(row)

    def losses(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        # The leader alone says that a run diverges: a rank that left before it would leave it waiting.
        rows[:] = 0
        return rows[:, 0]

    def _entered(self) -> float:
        """Enter the next epoch once it is released, and return its learning rate."""
        while (rate := self._word.enter(self._rank, self._num_epochs, self._num_traces)) is None:
            self._num_traces += 1
            self._take_part()
        return rate
