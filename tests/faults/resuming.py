"""Kills a server amid its runs, lets them go on, and holds them against runs that were never interrupted."""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from dpdash.core.config import RunConfig
from dpdash.core.events import COLUMNS, EpochBlock, LearningRateChanged, RunEvent, RunPaused, RunStatus
from dpdash.core.settings import ServerSettings
from dpdash.runs.pace import Pace
from dpdash.runs.service import RunService
from dpdash.store.rows import joined
from dpdash.training import catalog
from dpdash.training.control import RunControl
from tests.chance import SEED, chance
from tests.e2e.server import LEAN, Server, start_server, stop_server
from tests.fakes import eventually

APP: Final = Path(__file__).with_name("moved_runs.py")
OWNER: Final = "a browser"
PACE: Final = Pace.rate(120)
CONFIGS: Final = (
    RunConfig(samples=300, epochs=1200, seed=1, global_batch_size=50),
    RunConfig(
        samples=301, epochs=1200, seed=2, global_batch_size=64, optimizer="sgd_momentum", learning_rate=0.001
    ),
    RunConfig(samples=300, epochs=1000, seed=3, global_batch_size=100, hidden_depth=1, hidden_width=8),
    RunConfig(samples=1000, epochs=1200, seed=4, optimizer="rmsprop"),
)
"""A run's seed is its number."""
FACTORS: Final = (0.3, 1.5)
"""Learning rates are moved to so many times a run's own."""
BETWEEN_MOVES_SECONDS: Final = (0.1, 0.5)
LIFE_SECONDS: Final = (0.5, 5.0)
"""From the first epochs of all runs to the kill: before the first checkpoint, and behind several."""
LONGEST_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Resumed:
    """What came of the runs of one server that was killed."""

    mistakes: tuple[str, ...]
    num_moves: int
    """Changes of learning rates, of all runs."""
    epochs_again: tuple[int, ...]
    """For each run, the epochs that were saved and trained again."""
    num_anew: int
    """Runs that began anew, because they had no checkpoint yet."""


def kill_and_resume(folder: Path) -> Resumed:
    """Start the real server, kill it at a random moment, and let its runs go on in this process."""
    moments = chance()
    server = start_server(folder, {**LEAN, SEED: str(moments.randrange(2**32))}, APP)
    try:
        eventually(lambda: _num_begun(server) == len(CONFIGS))
        time.sleep(moments.uniform(*LIFE_SECONDS))
        server.process.kill()
        server.process.wait()
    finally:
        stop_server(server)
    settings = ServerSettings(database_url=f"sqlite:///{server.database}", full_speed_slots=1)
    service = RunService.open(settings, catalog.require)
    try:
        return _resume_all(service)
    finally:
        service.shutdown()


def uninterrupted(config: RunConfig, changes: tuple[LearningRateChanged, ...]) -> EpochBlock:
    """Every epoch of a run whose learning rate is moved at these epochs, and that is never interrupted."""
    rates = {change.epoch: change.learning_rate for change in changes}
    last_move = max(rates, default=0)
    control, parts = RunControl(), []
    control.pause()

    def react(event: RunEvent) -> None:
        match event:
            case EpochBlock():
                parts.append(event)
            case RunPaused(epoch=epoch):
                if epoch + 1 in rates:
                    control.set_learning_rate(rates[epoch + 1])
                control.step_once() if epoch < last_move else control.resume()

    catalog.require(config).run(config, react, control)
    return joined(parts)


def _num_begun(server: Server) -> int:
    with closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as connection:
        count: int = connection.execute("SELECT count(*) FROM runs WHERE num_epochs > 0").fetchone()[0]
    return count


def _resume_all(service: RunService) -> Resumed:
    before = {record.config.seed: record for record in service.runs.latest()}
    mistakes, again = [], []
    num_moves = num_anew = 0
    if sorted(before) != [config.seed for config in CONFIGS]:
        mistakes.append(f"the runs are not there once each: {sorted(before)}")
    for seed, record in before.items():
        if record.status is not RunStatus.INTERRUPTED:
            mistakes.append(f"run {seed} is {record.status}")
            continue
        service.resume_ended(record.run_id, OWNER, Pace.full_speed())
        start = service.runs.snapshot(record.run_id).resumed_from or 0
        assert service.runs.wait(record.run_id, LONGEST_SECONDS)
        shown, rows = service.runs.snapshot(record.run_id), service.runs.rows(record.run_id)
        changes = shown.history.learning_rate_changes
        again.append(record.num_epochs - start)
        num_moves += len(changes)
        num_anew += start == 0
        if shown.status is not RunStatus.FINISHED or rows is None:
            mistakes.append(f"run {seed} is {shown.status} in the end")
        else:
            mistakes += _differences(seed, rows, uninterrupted(record.config, changes))
    return Resumed(tuple(mistakes), num_moves, tuple(again), num_anew)


def _differences(seed: int, found: EpochBlock, expected: EpochBlock) -> list[str]:
    if len(found) != len(expected):
        return [f"run {seed} has {len(found)} epochs of {len(expected)}"]
    differing = []
    for name in COLUMNS:
        if name != "seconds" and not np.array_equal(getattr(found, name), getattr(expected, name)):
            epoch = int(np.flatnonzero(getattr(found, name) != getattr(expected, name))[0]) + 1
            differing.append(f"run {seed}: the {name} differs from epoch {epoch} on")
    return differing
