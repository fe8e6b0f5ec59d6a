"""Placements that are all in this process: one device, and replicas that are spread from it."""

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim

from dpdash.core.config import RunConfig
from dpdash.problem.data import Data
from dpdash.training.loop.epoch import EpochTrainer, GradientStep, Observer
from dpdash.training.loop.placement import Distribute, Placement, Tracer
from dpdash.training.trace.tracer import StepTracer


@dataclass(frozen=True, slots=True)
class OneDevice:
    """One device that does it all."""

    device: torch.device
    names: tuple[str, ...]
    distribute: Distribute = nullcontext
    emulated: bool = False
    leads: bool = True

    @property
    def alone(self) -> Placement | None:
        return None

    def agree(self, wish: bool) -> bool:
        return wish

    def agree_on_number(self, number: int) -> int:
        return number

    def step(self, model: nn.Module, optimizer: optim.Optimizer, max_samples: int) -> GradientStep:
        return GradientStep(model, optimizer, max_samples, self.device)

    def observer(self, model: nn.Module, x: Tensor, y: Tensor) -> Observer:
        return Observer(model, x, y)

    def traceable(
        self, config: RunConfig, data: Data, model: nn.Module, trainer: EpochTrainer, optimizer: optim.Optimizer
    ) -> tuple[EpochTrainer, Tracer]:
        return trainer, StepTracer(config, data, model, self)


class Replicas(OneDevice):
    """Replicas over which the model is spread from one device, which alone updates it."""

    @property
    def alone(self) -> Placement | None:
        return OneDevice(self.device, self.names[:1])
