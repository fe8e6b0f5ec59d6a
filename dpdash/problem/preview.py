"""What a page shows before the first run: the data, how it is cut, the untrained line and the best one."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from dpdash.core.config import EngineName, RunConfig, bounds
from dpdash.core.optimum import Moments, noise_floor, optimum, standard_errors
from dpdash.core.own_data import OwnData, OwnDataError
from dpdash.core.preview import Preview
from dpdash.core.sharding import shard_sizes
from dpdash.findings.suggestion import Target, Tried
from dpdash.problem import tables
from dpdash.problem.batches import draw_order
from dpdash.problem.data import Data, draw
from dpdash.problem.model import SimpleNN, build_model
from dpdash.problem.projection import line_projection

NUM_CACHED: Final = 32
"""A preview is a few kilobytes, but drawing ten million samples for it takes a second."""
NUM_ERRORS: Final = 32
"""Of tables, two numbers each."""
NUM_PREDICTED: Final = 10_000
"""Samples that an untrained MLP's line is fitted to."""

Scalar = TypeVar("Scalar", bound=np.generic)


def preview(config: RunConfig, max_points: int = 400) -> Preview:
    """Show a run before it is trained, with at most `max_points` of its points.

    Configs that differ only in how they train share one preview.
    """
    defaults = {name: RunConfig.model_fields[name].default for name in ("epochs", "learning_rate", "optimizer")}
    # Any engine would do that allows any number of replicas.
    return _preview(config.model_copy(update=defaults | {"engine": EngineName.CPU_REPLICAS}), max_points)


def target(
    known: Preview, allowed: Callable[[str], tuple[float, float]] = bounds, tried: tuple[Tried, ...] = ()
) -> Target:
    """What a run is measured against.

    `allowed` has the lowest and highest value of a setting to suggest, `tried` what the run's sweep has shown.
    """
    return Target(
        optimum_slope=known.optimum.slope,
        optimum_loss=known.optimum.loss,
        noise_floor=known.noise_floor,
        mean_square_x=known.moments.var_x + known.moments.mean_x**2,
        bounds=allowed,
        tried=tried,
    )


@lru_cache(maxsize=NUM_ERRORS)
def errors_in_own_units(data: OwnData) -> tuple[float, float] | None:
    """Standard errors of slope and intercept in the units of own data, which may have a million rows; else None.

    Raises:
        OwnDataError: when they are not there.
    """
    table = tables.table(data)
    return standard_errors(Moments.of(table.x, table.y))


def line_in_own_units(config: RunConfig, line: tuple[float, float]) -> tuple[float, float] | None:
    """A run's slope and intercept in the units of its own data; None for data that are drawn, or not there."""
    if config.data is None or not config.data.is_standardised:
        return None if config.data is None else line
    try:
        return tables.table(config.data).scale.undone(line)
    except OwnDataError:
        return None


def points(config: RunConfig, samples: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """X and y of some samples of a run's data, shape (num_samples,) each."""
    # They depend on nothing else.
    drawn = RunConfig(samples=config.samples, noise=config.noise, seed=config.seed, data=config.data)
    return _points(drawn, samples)


@lru_cache(maxsize=NUM_CACHED)
def _points(config: RunConfig, samples: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    data, chosen = draw(config), list(samples)
    return _frozen(data.x.numpy()[chosen, 0]), _frozen(data.y.numpy()[chosen, 0])


@lru_cache(maxsize=NUM_CACHED)
def _preview(config: RunConfig, max_points: int) -> Preview:
    data = draw(config)
    slope, intercept = _untrained_line(config, data)
    # The weights are drawn now, so the generator stands where the run shuffles its first epoch.
    replica = _replica_of_each_sample(config, data.generator)
    shown = _evenly_spread(replica, max_points)
    moments = Moments.of(data.x, data.y)
    best, floor = optimum(moments), noise_floor(config)
    return Preview(
        x=_frozen(data.x.numpy()[shown, 0]),
        y=_frozen(data.y.numpy()[shown, 0]),
        replica=_frozen(replica[shown].astype(np.int64)),
        shard_sizes=shard_sizes(config.global_batch_size or config.samples, config.replicas),
        slope=slope,
        intercept=intercept,
        moments=moments,
        optimum=best,
        noise_floor=best.loss if floor is None else floor,
    )


def _untrained_line(config: RunConfig, data: Data) -> tuple[float, float]:
    model = build_model(config, data.generator)
    if isinstance(model, SimpleNN):
        return model.layer.weight.item(), model.layer.bias.item()
    # A wide MLP over all the data would take gigabytes; the line is the same within what a chart can show.
    x = data.x[:NUM_PREDICTED]
    with torch.no_grad():
        slope, intercept = (line_projection(x) @ model(x).flatten()).tolist()
    return slope, intercept


def _replica_of_each_sample(config: RunConfig, generator: torch.Generator) -> NDArray[np.int16]:
    """Shape (num_samples,)."""
    size = config.global_batch_size or config.samples
    position = np.arange(config.samples)
    whole = config.samples // size * size
    batch_length = np.where(position < whole, size, config.samples - whole)
    shard_length = -(-batch_length // config.replicas)
    replica_at_position: NDArray[np.int16] = (position % size // shard_length).astype(np.int16)
    if config.global_batch_size is None:
        return replica_at_position
    replica = np.empty_like(replica_at_position)
    replica[draw_order(config.samples, generator, torch.device("cpu")).numpy()] = replica_at_position
    return replica


def _evenly_spread(replica: NDArray[np.int16], max_points: int) -> NDArray[np.int64]:
    """Samples to show, at even distances in a list that is sorted by replica: each replica gets its due share."""
    num_points = min(max_points, len(replica))
    by_replica = np.argsort(replica, kind="stable")  # radix sort: linear in the number of samples
    shown: NDArray[np.int64] = by_replica[np.arange(num_points) * len(replica) // num_points]
    return shown


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.flags.writeable = False
    return array
