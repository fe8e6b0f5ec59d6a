"""Everything that a run needs in memory before its first epoch."""

from dataclasses import dataclass
from typing import Final

from torch import nn, optim

from dpdash.core.config import RunConfig
from dpdash.core.optimum import Moments
from dpdash.problem.batches import ShuffledBatches
from dpdash.problem.data import Data
from dpdash.problem.model import build_optimizer
from dpdash.training.checkpoint import Keeper
from dpdash.training.learning_rates import LearningRates
from dpdash.training.loop.epoch import BatchedPass, EpochTrainer, Observer
from dpdash.training.loop.placement import Placement
from dpdash.training.loop.rows import Rows

ROWS_PER_BLOCK: Final = 1024
"""More than the epochs that fit between two flushes: the fastest takes some 60 microseconds."""


@dataclass(frozen=True, slots=True)
class Training:
    """A run ready to train its first epoch."""

    trainer: EpochTrainer
    optimizer: optim.Optimizer
    observer: Observer
    rows: Rows
    keeper: Keeper


def set_up(
    config: RunConfig, data: Data, model: nn.Module, distributed: nn.Module, placement: Placement
) -> Training:
    """Get ready to train a model.

    Args:
        config: Settings of the run.
        data: Its data, on the device of the model.
        model: The model that is updated.
        distributed: The same model, in what spreads its forward over replicas.
        placement: Where it trains.
    """
    optimizer = build_optimizer(config, model, data.x.device)
    observer = Observer(model, data.x, data.y)
    rows = Rows(min(ROWS_PER_BLOCK, config.epochs), data.x.device)
    step = placement.step(distributed, optimizer, batch_size(config))
    trainer: EpochTrainer
    if config.global_batch_size is not None:
        batches = ShuffledBatches(data.x, data.y, config.global_batch_size, data.generator)
        looking = placement.observer(model, data.x, data.y)
        trainer = BatchedPass(step, batches, looking, Moments.of(data.x.cpu(), data.y.cpu()), rows)
    else:
        trainer = step.full_batch(data.x, data.y, observer, rows)
    rates = LearningRates(optimizer, config)
    keeper = Keeper(model, optimizer, data.generator, rates, takes=placement.leads)
    return Training(trainer, optimizer, observer, rows, keeper)


def batch_size(config: RunConfig) -> int:
    """Samples in the first update of an epoch."""
    return config.global_batch_size or config.samples
