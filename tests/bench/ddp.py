"""How much of two cores DDP keeps: two ranks that train together beside two processes that train alone."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import EpochBlock, RunEvent, RunFinished
from dpdash.training.control import RunControl
from dpdash.training.ddp.engine import Ddp
from tests.bench.figure import Figure, pairwise

NUM_CORES: Final = 2
GOAL: Final = 0.85


@dataclass(frozen=True)
class Plan:
    """How often, and how long."""

    num_pairs: int
    num_epochs: int


FULL: Final = Plan(num_pairs=5, num_epochs=40)
QUICK: Final = Plan(num_pairs=1, num_epochs=4)


@dataclass(frozen=True)
class Heard:
    """When a run had trained how many epochs, in seconds of this process's clock."""

    times: tuple[float, ...]
    epochs: tuple[int, ...]

    def samples_per_second(self, since: float, until: float, samples: int) -> float:
        """Between the first and the last block within these moments."""
        within = [(at, epoch) for at, epoch in zip(self.times, self.epochs, strict=True) if since <= at <= until]
        (first_at, first), (last_at, last) = within[0], within[-1]
        return samples * (last - first) / (last_at - first_at)


def measure(plan: Plan) -> list[Figure]:
    """The figure of DDP on CPU cores."""
    together, apart = [], []
    for pair in range(plan.num_pairs):
        for ranks_first in (pair % 2 == 0, pair % 2 != 0):
            if ranks_first:
                together.append(_throughput([_config(plan.num_epochs, NUM_CORES)]))
            else:
                apart.append(_throughput([_config(plan.num_epochs, 1)] * NUM_CORES))
    return [
        Figure(
            "ddp: 2 ranks beside 2 processes",
            f"{plan.num_pairs} pairs in turns; samples per second of an MLP of width 512 and depth 2 on 10,000 "
            f"samples, {plan.num_epochs} epochs: one run of two ranks with a thread each, divided by two runs of "
            "one rank at the same time, counted while both train",
            pairwise(together, apart),
            "×",
            "at least",
            GOAL,
        )
    ]


def _config(num_epochs: int, replicas: int) -> RunConfig:
    return RunConfig(
        samples=10_000,
        epochs=num_epochs,
        hidden_width=512,
        hidden_depth=2,
        engine=EngineName.DDP,
        replicas=replicas,
    )


def _throughput(configs: Sequence[RunConfig]) -> float:
    """Samples per second of runs at the same time, all of them together."""
    with ThreadPoolExecutor(len(configs)) as pool:
        heard = list(pool.map(_train, configs))
    since, until = max(each.times[0] for each in heard), min(each.times[-1] for each in heard)
    return sum(
        each.samples_per_second(since, until, config.samples) for each, config in zip(heard, configs, strict=True)
    )


def _train(config: RunConfig) -> Heard:
    times: list[float] = []
    epochs: list[int] = []
    endings: list[RunEvent] = []

    def emit(event: RunEvent) -> None:
        if isinstance(event, EpochBlock):
            times.append(time.perf_counter())
            epochs.append(event.last_epoch)
        endings[:] = [event]

    Ddp().run(config, emit, RunControl())
    assert isinstance(endings[0], RunFinished), endings
    return Heard(tuple(times), tuple(epochs))
