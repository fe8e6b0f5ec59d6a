"""Where a run trains, and all that differs from one such place to another."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor, nn, optim

from dpdash.core.config import RunConfig
from dpdash.core.steps import StepTrace
from dpdash.problem.data import Data
from dpdash.training.loop.epoch import EpochTrainer, GradientStep, Observer
from dpdash.training.trace.turns import Wish

Distribute = Callable[[nn.Module], AbstractContextManager[nn.Module]]
"""Wraps a model that is on its first device so that its forward runs on all replicas, while the context lasts."""


class Tracer(Protocol):
    """Takes a run's next step apart whenever that is asked for."""

    def attempt(self, optimizer: optim.Optimizer, wish: Wish) -> StepTrace | None:
        """The step; None where it takes longer than is wished or fails, of which the log tells more."""


class Placement(Protocol):
    """Where a run trains, and how its model is spread there."""

    @property
    def device(self) -> torch.device:
        """Holds the data, the model that is updated, and the rows."""

    @property
    def names(self) -> tuple[str, ...]:
        """One for each replica."""

    @property
    def emulated(self) -> bool: ...

    @property
    def leads(self) -> bool:
        """Whether this process speaks for the run: of those that train it together, one does."""

    @property
    def distribute(self) -> Distribute: ...

    @property
    def alone(self) -> "Placement | None":
        """The one device that its replicas are compared with; None where it has no replicas."""

    def agree(self, wish: bool) -> bool:
        """What the process that leads wishes."""

    def agree_on_number(self, number: int) -> int:
        """What the process that leads says."""

    def step(self, model: nn.Module, optimizer: optim.Optimizer, max_samples: int) -> GradientStep:
        """The update of a distributed model."""

    def observer(self, model: nn.Module, x: Tensor, y: Tensor) -> Observer:
        """Looks at a model at the start of each epoch."""

    def traceable(
        self, config: RunConfig, data: Data, model: nn.Module, trainer: EpochTrainer, optimizer: optim.Optimizer
    ) -> tuple[EpochTrainer, Tracer]:
        """What trains the epochs, all processes in step, and what traces a step in between."""
