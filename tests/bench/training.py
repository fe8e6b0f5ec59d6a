"""How fast runs train, as ratios to the bare loop of the listing: both are timed side by side, in turns."""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

import numpy as np
import torch

from dpdash.core.config import RunConfig
from dpdash.core.events import RunEvent, RunFinished
from dpdash.core.history import History
from dpdash.core.settings import ServerSettings
from dpdash.runs.service import Pace, RunService
from dpdash.store.absent import AbsentStore
from dpdash.store.store import RunStore
from dpdash.training.catalog import require
from dpdash.training.control import RunControl
from tests.reference import listing

OWNER: Final = "bench"
LONGEST_RUN_SECONDS: Final = 600.0
LONGEST_COMMIT_SECONDS: Final = 30.0

Timed = Callable[[int], float]
"""Trains so many epochs and returns the wall time in seconds."""


class Ratio(TypedDict):
    """How many times as many epochs per second one side trains as the other."""

    median: float
    min: float
    max: float
    ratios: list[float]


@dataclass(frozen=True)
class Definition:
    """What one figure compares, and how long the two runs are whose difference gives the time of an epoch."""

    samples: int
    low: int
    high: int
    goal: float


DEFINITIONS = {
    "default run": Definition(samples=10_000, low=5_000, high=40_000, goal=1.05),
    "1,000,000 samples": Definition(samples=1_000_000, low=100, high=1_100, goal=1.3),
}


def epoch_seconds(timed: Timed, low: int, high: int) -> float:
    """Seconds of one epoch, without what a run costs once: (T(high) − T(low)) / (high − low)."""
    return (timed(high) - timed(low)) / (high - low)


def compare(ours: Timed, bare: Timed, low: int, high: int, pairs: int) -> Ratio:
    """Time both sides in turns and divide pair by pair, so that a machine that slows down slows both."""
    for timed in (ours, bare):
        timed(low)  # the first run of a process pays for what later ones find ready
    ratios = []
    for pair in range(pairs):
        first, second = (ours, bare) if pair % 2 else (bare, ours)
        times = {first: epoch_seconds(first, low, high), second: epoch_seconds(second, low, high)}
        ratios.append(times[bare] / times[ours])
    return Ratio(median=statistics.median(ratios), min=min(ratios), max=max(ratios), ratios=ratios)


def bare_listing(samples: int) -> Timed:
    """The listing's loop, with a loss read in every epoch."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x, y = listing.draw(samples, noise=0.5)

    def timed(num_epochs: int) -> float:
        began = time.perf_counter()
        listing.train(x, y, num_epochs, lr=0.01)
        return time.perf_counter() - began

    return timed


def engine_alone(samples: int) -> Timed:
    """Our loop at full speed, folded into a live history but not stored."""

    def timed(num_epochs: int) -> float:
        config = RunConfig(samples=samples, epochs=num_epochs)
        history = History()
        ended: list[RunEvent] = []

        def emit(event: RunEvent) -> None:
            history.fold(event)
            if isinstance(event, RunFinished):
                ended.append(event)

        began = time.perf_counter()
        require(config).run(config, emit, RunControl())
        seconds = time.perf_counter() - began
        assert ended and history.snapshot().num_epochs == num_epochs
        return seconds

    return timed


@contextmanager
def opened_service(folder: Path) -> Iterator[tuple[RunService, RunStore]]:
    """A run service on a real SQLite file in `folder`, and its store."""
    url = f"sqlite:///{folder / 'runs.db'}"
    store = RunStore(url)
    service = RunService(ServerSettings(database_url=url), store)
    try:
        yield service, store
    finally:
        service.shutdown()


@contextmanager
def recorded(samples: int, folder: Path) -> Iterator[Timed]:
    """A run of the service at full speed, timed from its start until its last row is committed.

    At the end every run is checked to be in the store, each of its rows.
    """
    ran: dict[str, int] = {}
    with opened_service(folder) as (service, store):

        def timed(num_epochs: int) -> float:
            config = RunConfig(samples=samples, epochs=num_epochs)
            began = time.perf_counter()
            run_id = service.start(config, OWNER, Pace.full_speed())
            assert service.runs.wait(run_id, LONGEST_RUN_SECONDS)
            assert store.flush(LONGEST_COMMIT_SECONDS)
            seconds = time.perf_counter() - began
            ran[run_id] = num_epochs
            return seconds

        yield timed
        for run_id, num_epochs in ran.items():
            check_stored(service, run_id, num_epochs)


@contextmanager
def unsaved(samples: int) -> Iterator[Timed]:
    """The same run of a service without a database, timed from its start until it is over."""
    service = RunService(ServerSettings(), AbsentStore())
    try:

        def timed(num_epochs: int) -> float:
            began = time.perf_counter()
            run_id = service.start(RunConfig(samples=samples, epochs=num_epochs), OWNER, Pace.full_speed())
            assert service.runs.wait(run_id, LONGEST_RUN_SECONDS)
            return time.perf_counter() - began

        yield timed
    finally:
        service.shutdown()


def check_stored(service: RunService, run_id: str, num_epochs: int) -> None:
    """Every epoch of a run is in the store, and those that the live history keeps are there as they were."""
    stored, history = service.runs.rows(run_id), service.runs.snapshot(run_id).history
    assert stored is not None and (stored.first_epoch, len(stored)) == (1, num_epochs)
    assert np.isfinite(stored.loss).all()
    epochs, losses = history.curve("loss", max_points=2 * num_epochs + 4)
    assert np.array_equal(np.asarray(stored.loss, dtype=np.float64)[epochs - 1], losses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    figures = {
        name: compare(engine_alone(each.samples), bare_listing(each.samples), each.low, each.high, arguments.pairs)
        for name, each in DEFINITIONS.items()
    }
    json.dump(figures, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
