"""A rank of DDP as a placement: each step, look, trace and epoch is done by all ranks together."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim
from torch.nn.parallel import DistributedDataParallel

from dpdash.core.config import RunConfig
from dpdash.problem.data import Data
from dpdash.training.ddp.lock_step import in_step
from dpdash.training.ddp.sharded import Accumulation, Carrier, Ranks, ShardedObserver, ShardStep
from dpdash.training.ddp.tracer import ShardTracer
from dpdash.training.engines.placement import OneDevice
from dpdash.training.loop.epoch import EpochTrainer, GradientStep, Observer
from dpdash.training.loop.placement import Placement, Tracer


@dataclass(frozen=True, slots=True)
class Rank:
    """One process of those that train a run together."""

    config: RunConfig
    device: torch.device
    names: tuple[str, ...]
    ranks: Ranks
    emulated: bool = False
    exchanges_each: bool = False
    """See `Accumulation`."""

    @property
    def leads(self) -> bool:
        return self.ranks.is_leader

    @contextmanager
    def distribute(self, model: nn.Module) -> Iterator[nn.Module]:
        # A straight line has no need to be carried: its slope and intercept are parameters.
        carries = self.config.hidden_depth > 0 and self.config.global_batch_size is None
        yield DistributedDataParallel(
            Carrier(model) if carries else model,
            broadcast_buffers=False,
            process_group=self.ranks.group,
            bucket_cap_mb=self.config.bucket_cap_mb,
        )

    @property
    def alone(self) -> Placement | None:
        return OneDevice(self.device, self.names[:1])

    def agree(self, wish: bool) -> bool:
        return self.ranks.agree(wish)

    def agree_on_number(self, number: int) -> int:
        return self.ranks.agree_on_number(number)

    def step(self, model: nn.Module, optimizer: optim.Optimizer, max_samples: int) -> GradientStep:
        accumulation = Accumulation(self.config.accumulation_steps, self.exchanges_each)
        return ShardStep(model, optimizer, max_samples, self.device, self.ranks, accumulation)

    def observer(self, model: nn.Module, x: Tensor, y: Tensor) -> Observer:
        return ShardedObserver(model, x, y, self.ranks)

    def traceable(
        self, config: RunConfig, data: Data, model: nn.Module, trainer: EpochTrainer, optimizer: optim.Optimizer
    ) -> tuple[EpochTrainer, Tracer]:
        tracer = ShardTracer(config, data, model, self, self.ranks)
        return in_step(trainer, optimizer, self.ranks, tracer.take_part), tracer
