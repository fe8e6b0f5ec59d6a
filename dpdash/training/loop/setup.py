"""Everything that a run needs in memory before its first epoch."""

import copy
import statistics
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn, optim
from torch.nn.parallel import DistributedDataParallel

from dpdash.core.config import RunConfig
from dpdash.core.optimum import Moments
from dpdash.problem.batches import ShuffledBatches
from dpdash.problem.data import Data
from dpdash.problem.model import build_optimizer
from dpdash.training.checkpoint import Keeper
from dpdash.training.ddp.sharded import CarriedFullBatch, Carrier, Ranks, ShardedObserver, ShardStep
from dpdash.training.learning_rates import LearningRates
from dpdash.training.loop.epoch import BatchedPass, EpochTrainer, FullBatch, GradientStep, Observer
from dpdash.training.loop.placement import Distribute
from dpdash.training.loop.rows import Rows

ROWS_PER_BLOCK: Final = 1024
"""More than the epochs that fit between two flushes: the fastest takes some 60 microseconds."""
MEASURED_SECONDS: Final = 0.05
MIN_MEASURED_STEPS: Final = 5
LONGEST_MEASURED_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True)
class Training:
    """A run ready to train its first epoch."""

    trainer: EpochTrainer
    optimizer: optim.Optimizer
    observer: Observer
    rows: Rows
    keeper: Keeper


def set_up(
    config: RunConfig, data: Data, model: nn.Module, distributed: nn.Module, ranks: Ranks | None = None
) -> Training:
    """Get ready to train a model.

    Args:
        config: Settings of the run.
        data: Its data, on the device of the model.
        model: The model that is updated.
        distributed: The same model, in what spreads its forward over replicas.
        ranks: The processes that train together, where there are several.
    """
    optimizer = build_optimizer(config, model, data.x.device)
    observer = Observer(model, data.x, data.y)
    rows = Rows(ROWS_PER_BLOCK, data.x.device)
    step = _step(config, data, distributed, optimizer, ranks)
    trainer: EpochTrainer
    if config.global_batch_size is not None:
        batches = ShuffledBatches(data.x, data.y, config.global_batch_size, data.generator)
        looking = observer if ranks is None else ShardedObserver(model, data.x, data.y, ranks)
        trainer = BatchedPass(step, batches, looking, Moments.of(data.x.cpu(), data.y.cpu()), rows)
    elif isinstance(step, ShardStep):
        trainer = _sharded_full_batch(step, data, distributed, observer, rows)
    else:
        trainer = FullBatch(step, data.x, data.y, observer.line, rows)
    rates = LearningRates(optimizer, config.learning_rate)
    keeper = Keeper(model, optimizer, data.generator, rates, takes=ranks is None or ranks.is_leader)
    return Training(trainer, optimizer, observer, rows, keeper)


def _step(
    config: RunConfig,
    data: Data,
    distributed: nn.Module,
    optimizer: optim.Optimizer,
    ranks: Ranks | None,
) -> GradientStep:
    size, device = batch_size(config), data.x.device
    if ranks is None:
        return GradientStep(distributed, optimizer, size, device)
    return ShardStep(distributed, optimizer, size, device, ranks)


def _sharded_full_batch(
    step: ShardStep, data: Data, distributed: nn.Module, observer: Observer, rows: Rows
) -> EpochTrainer:
    assert isinstance(distributed, DistributedDataParallel)
    if isinstance(distributed.module, Carrier):
        return CarriedFullBatch(step, distributed.module, data.x, data.y, rows)
    # No rank sees all predictions, but a straight line's loss follows from the line.
    return BatchedPass(step, [(data.x, data.y)], observer, Moments.of(data.x.cpu(), data.y.cpu()), rows)


def batch_size(config: RunConfig) -> int:
    """Samples in the first update of an epoch."""
    return config.global_batch_size or config.samples


def measured_step_seconds(
    config: RunConfig,
    data: Data,
    model: nn.Module,
    distribute: Distribute | None = None,
    ranks: Ranks | None = None,
) -> float:
    """Median seconds of one update, measured on a copy of the model with the first samples.

    On one device, or on the replicas that `distribute` spreads it over; with `ranks`, in all of these processes.
    Takes some 50 milliseconds; with slow steps up to 0.3 seconds, or one step where that is longer.
    """
    model = copy.deepcopy(model)
    size, device = batch_size(config), data.x.device
    x, y = data.x[:size], data.y[:size]
    durations: list[float] = []
    with nullcontext(model) if distribute is None else distribute(model) as distributed:
        step = _step(config, data, distributed, build_optimizer(config, model, device), ranks)
        while _worth_another_step(durations) if ranks is None else ranks.agree(_worth_another_step(durations)):
            began = time.perf_counter()
            step.update(step.predict(x), y)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            durations.append(time.perf_counter() - began)
    return statistics.median(durations[1:] or durations)


def _worth_another_step(durations: list[float]) -> bool:
    # The first step is left out: it also allocates and starts threads. One other may be odd on a busy machine.
    if len(durations) <= MIN_MEASURED_STEPS:
        return sum(durations) < LONGEST_MEASURED_SECONDS
    return sum(durations) < MEASURED_SECONDS
