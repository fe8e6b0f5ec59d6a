"""What the guide shows, measured in real runs of this program."""

import copy
import statistics
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dpdash.core.config import EngineName, OptimizerName, RunConfig
from dpdash.core.scaling.plan import ScalingMode, StudyPlan
from dpdash.core.scaling.study import Study, StudyStatus
from dpdash.core.scaling.waterfall import Waterfall
from dpdash.core.sharding import shard_sizes
from dpdash.core.steps import Phase
from dpdash.findings.scaling.parts import waterfalls
from dpdash.problem.data import draw
from dpdash.problem.model import SimpleNN, build_model
from dpdash.scaling.live import LiveStudy
from dpdash.scaling.service import new_study
from dpdash.training import catalog
from dpdash.training.engines.cpu_replicas import CpuDataParallel
from dpdash.training.trace.step import trace_config
from tests.contract.training import run

PARALLEL: Final = (EngineName.DATA_PARALLEL, EngineName.CPU_REPLICAS, EngineName.DDP)
UNEVEN: Final = RunConfig(samples=10, engine=EngineName.CPU_REPLICAS, replicas=4)
"""Cut 3, 3, 3 and 1: the weights differ, and the plain mean of the gradients is wrong."""
TRACED: Final = RunConfig(hidden_depth=2, hidden_width=256, engine=EngineName.CPU_REPLICAS, replicas=2)
NUM_REPLICAS: Final = 2
NUM_TURNS: Final = 15
TURN_SECONDS: Final = 0.25
LIGHT: Final = RunConfig()
HEAVY: Final = RunConfig(hidden_depth=2, hidden_width=256)
SMALL_BATCH: Final = RunConfig(epochs=25, optimizer=OptimizerName.SGD, global_batch_size=100, learning_rate=0.0003)
TIMES: Final = 10
"""How much larger the batch is to which the linear scaling rule is applied."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Gradients:
    """The gradient of the slope in one step on uneven shards."""

    sizes: tuple[int, ...]
    shards: tuple[float, ...]
    """Of the mean loss over each shard."""
    step: float
    """What the optimizer got from the replicas."""
    full: float
    """Of the mean loss over the whole batch, in float64 and without replicas."""

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(size / sum(self.sizes) for size in self.sizes)

    @property
    def contributions(self) -> tuple[float, ...]:
        return tuple(weight * shard for weight, shard in zip(self.weights, self.shards, strict=True))

    @property
    def plain_mean(self) -> float:
        """What averaging over the replicas gives, as plain DDP does."""
        return statistics.fmean(self.shards)


def gradients() -> Gradients:
    """Take the first step of a run apart, by the same DataParallel that trains."""
    config = UNEVEN
    data = draw(config)
    model = build_model(config, data.generator)
    sizes = shard_sizes(config.samples, config.replicas)
    shards = zip(torch.split(data.x, list(sizes)), torch.split(data.y, list(sizes)), strict=True)
    with ThreadPoolExecutor(config.replicas) as pool:
        step = _slope_gradient(model, CpuDataParallel(model, config.replicas, pool), data.x, data.y)
    exact = copy.deepcopy(model).double()
    return Gradients(
        sizes,
        tuple(_slope_gradient(model, model, x, y) for x, y in shards),
        step,
        _slope_gradient(exact, exact, data.x.double(), data.y.double()),
    )


def _slope_gradient(model: nn.Module, forward: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    assert isinstance(model, SimpleNN)
    model.zero_grad()
    nn.functional.mse_loss(forward(x), y).backward()  # type: ignore[no-untyped-call]
    assert model.layer.weight.grad is not None
    return model.layer.weight.grad.item()


@dataclass(frozen=True)
class Curve:
    """The loss of every epoch of a run."""

    engine: EngineName
    replicas: int
    losses: Floats


def curves() -> list[Curve]:
    """The default run on one device, and on what this machine has of parallel engines."""
    return [
        Curve(config.engine, config.replicas, run(catalog.engine(config.engine), config).column("loss"))
        for config in (RunConfig(), *_on_replicas(RunConfig(), [2]))
    ]


def farthest(found: list[Curve]) -> float:
    """The largest difference of any curve to the first, as a share of the loss."""
    alone = found[0].losses
    return max(float(np.max(np.abs(curve.losses - alone) / alone)) for curve in found[1:])


@dataclass(frozen=True)
class Steps:
    """What the steps of one model are made of, by the study that the page measures."""

    is_heavy: bool
    waterfalls: tuple[Waterfall, ...]


def steps() -> list[Steps]:
    """Studies of a straight line and of a network, on one device and on two replicas."""
    return [Steps(config is HEAVY, waterfalls(_study(config))) for config in (LIGHT, HEAVY)]


def _study(config: RunConfig) -> Study:
    plan = StudyPlan(
        engines=tuple(parallel.engine for parallel in _on_replicas(config, [NUM_REPLICAS])),
        mode=ScalingMode.STRONG,
        replicas=NUM_REPLICAS,
        samples=config.samples,
        hidden_widths=(config.hidden_width,),
        hidden_depth=config.hidden_depth,
        repeats=NUM_TURNS,
        seconds=TURN_SECONDS,
    )
    live = LiveStudy(new_study(plan, "guide"))
    live.start()
    live.wait()
    study = live.snapshot().study
    assert study.status is StudyStatus.FINISHED, study.message
    return study


def _on_replicas(config: RunConfig, numbers: Iterable[int]) -> list[RunConfig]:
    """The same config on each parallel engine that this machine has."""
    wanted = [
        config.model_copy(update={"engine": engine, "replicas": number})
        for engine in PARALLEL
        if engine in catalog.ENGINES
        for number in numbers
    ]
    return [parallel for parallel in wanted if catalog.engine(parallel.engine).availability(parallel).ok]


@dataclass(frozen=True)
class Rule:
    """The linear scaling rule, tried: the same epochs with another batch and another learning rate."""

    configs: tuple[RunConfig, ...]
    losses: tuple[Floats, ...]


def rule() -> Rule:
    """Train with small batches, with large ones, and with large ones at a learning rate as much higher."""
    assert SMALL_BATCH.global_batch_size is not None
    large = SMALL_BATCH.model_copy(update={"global_batch_size": SMALL_BATCH.global_batch_size * TIMES})
    scaled = large.model_copy(update={"learning_rate": round(SMALL_BATCH.learning_rate * TIMES, 9)})
    configs = (SMALL_BATCH, large, scaled)
    return Rule(configs, tuple(run(catalog.engine(config.engine), config).column("loss") for config in configs))


@dataclass(frozen=True)
class Phases:
    """Where the time of a step goes."""

    engine: EngineName
    num_steps: int
    seconds: dict[Phase, float]
    """Median of each phase that the engine has, in the order of the step."""


def phases() -> list[Phases]:
    """Steps taken apart by the program's own tracing."""
    return [_phases(config) for config in _on_replicas(TRACED, [TRACED.replicas])]


def _phases(config: RunConfig) -> Phases:
    times = trace_config(config).timed
    return Phases(config.engine, times.num_steps, {time.phase: time.on_clock.median for time in times.phases})
