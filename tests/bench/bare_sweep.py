"""What `sweep.py` compares with: the preset as a person writes it, Optuna around a bare loop, in one process."""

import sys
import time
from collections.abc import Callable, Mapping

import optuna
import torch
from torch import nn, optim

from dpdash.core.config import OptimizerName
from dpdash.sweeps.presets import PRESETS, PresetName
from tests.reference import listing

PLAN = PRESETS[PresetName.RATE_OPTIMIZER].plan
OPTIMIZERS: Mapping[str, Callable[..., optim.Optimizer]] = {
    OptimizerName.ADAM: optim.Adam,
    OptimizerName.ADAMW: optim.AdamW,
    OptimizerName.SGD: optim.SGD,
    OptimizerName.SGD_MOMENTUM: lambda parameters, lr: optim.SGD(parameters, lr=lr, momentum=0.9),
    OptimizerName.RMSPROP: optim.RMSprop,
}


def search() -> float:
    """Train every trial, with a loss read in every epoch, and return the seconds."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    grid = {axis.setting: list(axis.values) for axis in PLAN.axes}
    began = time.perf_counter()
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(grid, seed=0))
    study.optimize(_objective)
    seconds = time.perf_counter() - began
    assert len(study.trials) == PLAN.num_trials
    return seconds


def _objective(trial: optuna.Trial) -> float:
    rate, optimizer = (trial.suggest_categorical(axis.setting, axis.values) for axis in PLAN.axes)
    torch.manual_seed(0)
    x, y = listing.draw(PLAN.base.samples, PLAN.base.noise)
    model, criterion = listing.SimpleNN(), nn.MSELoss()
    update = OPTIMIZERS[str(optimizer)](model.parameters(), lr=rate)
    losses = []
    for _epoch in range(PLAN.base.epochs):
        loss = criterion(model(x), y)
        update.zero_grad()
        loss.backward()
        update.step()
        losses.append(loss.item())
    # Of a run that diverged, Optuna takes no other number.
    return min(losses[-1], sys.float_info.max) if losses[-1] == losses[-1] else sys.float_info.max
