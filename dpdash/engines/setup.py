"""Everything that a run needs in memory before its first epoch."""

import copy
import statistics
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn, optim

from dpdash.config import RunConfig
from dpdash.engines.epochs import EpochTrainer, FullBatch, GradientStep, Observer, ShuffledPass
from dpdash.engines.placement import Distribute
from dpdash.engines.rows import Rows
from dpdash.problem.batches import ShuffledBatches
from dpdash.problem.data import Data
from dpdash.problem.model import build_optimizer
from dpdash.problem.optimum import Moments

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


def set_up(config: RunConfig, data: Data, model: nn.Module, distributed: nn.Module) -> Training:
    """Get ready to train a model.

    Args:
        config: Settings of the run.
        data: Its data, on the device of the model.
        model: The model that is updated.
        distributed: The same model, in what spreads its forward over replicas.
    """
    device = data.x.device
    optimizer = build_optimizer(config, model, device)
    step = GradientStep(distributed, optimizer, batch_size(config), device)
    observer = Observer(model, data.x, data.y)
    rows = Rows(ROWS_PER_BLOCK, device)
    trainer: EpochTrainer
    if config.global_batch_size is None:
        trainer = FullBatch(step, data.x, data.y, observer.line, rows)
    else:
        batches = ShuffledBatches(data.x, data.y, config.global_batch_size, data.generator)
        trainer = ShuffledPass(step, batches, observer, Moments.of(data.x, data.y), rows)
    return Training(trainer, optimizer, observer, rows)


def batch_size(config: RunConfig) -> int:
    """Samples in the first update of an epoch."""
    return config.global_batch_size or config.samples


def measured_step_seconds(
    config: RunConfig, data: Data, model: nn.Module, distribute: Distribute | None = None
) -> float:
    """Median seconds of one update, measured on a copy of the model with the first samples.

    On one device, or on the replicas that `distribute` spreads it over. Takes some 50 milliseconds; with slow
    steps up to 0.3 seconds, or one step where that is longer.
    """
    model = copy.deepcopy(model)
    size, device = batch_size(config), data.x.device
    x, y = data.x[:size], data.y[:size]
    durations: list[float] = []
    with nullcontext(model) if distribute is None else distribute(model) as distributed:
        step = GradientStep(distributed, build_optimizer(config, model, device), size, device)
        while _worth_another_step(durations):
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
