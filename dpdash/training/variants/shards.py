"""A step cut into shards, each with a model of its own: what there is before anything is exchanged."""

import copy
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn, optim

from dpdash.core.config import RunConfig
from dpdash.problem.model import build_optimizer
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.variants.steady import Step


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a batch on a device, with a model and an optimizer of its own."""

    x: Tensor
    """Shape (shard_size, 1)."""
    y: Tensor
    """Shape (shard_size, 1)."""
    model: nn.Module
    optimizer: optim.Optimizer
    step: GradientStep

    @classmethod
    def on(cls, device: torch.device, config: RunConfig, model: nn.Module, x: Tensor, y: Tensor) -> Self:
        """A shard with a copy of a model; `x` and `y` have the shape (shard_size, 1), wherever they are."""
        model = copy.deepcopy(model).to(device)
        optimizer = build_optimizer(config, model, device)
        step = GradientStep(model, optimizer, len(y), device)
        return cls(x.to(device), y.to(device), model, optimizer, step)

    def train(self) -> None:
        """One update of its own model."""
        self.step.update(self.step.predict(self.x), self.y)

    def predict(self) -> Tensor:
        """The training forward, shape (shard_size, 1)."""
        return self.step.predict(self.x)


def at_once(shards: Sequence[Shard], pool: ThreadPoolExecutor) -> Step:
    """All shards train, each in a thread of its own, and meet after each step."""

    def step() -> None:
        for _ in pool.map(Shard.train, shards):
            pass

    return step


def with_one_backward(shards: Sequence[Shard], pool: ThreadPoolExecutor) -> Step:
    """Each shard's forward in a thread of its own; then one backward over all, and one update, the first shard's.

    As with DataParallel, but the models stay where they are: nothing is cut, copied or put together.
    """
    parameters = [parameter for shard in shards for parameter in shard.model.parameters()]

    def step() -> None:
        outputs = list(pool.map(Shard.predict, shards))
        gradients = [
            shard.step.loss_gradient(output, shard.y) for shard, output in zip(shards, outputs, strict=True)
        ]
        for parameter in parameters:
            parameter.grad = None
        torch.autograd.backward(outputs, gradients)
        shards[0].optimizer.step()

    return step
