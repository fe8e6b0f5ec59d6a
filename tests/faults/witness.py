"""A server with ten runs, and a witness who hears what they have trained and holds what is stored against it."""

import os
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dpdash.core.events import RunStatus
from dpdash.runs.pace import Pace
from dpdash.store.store import RunStore
from dpdash.training.loop.epoch_loop import FLUSH_SECONDS
from tests.e2e.server import Server, start_server, stop_server
from tests.fakes import eventually

APP: Final = Path(__file__).with_name("ten_runs.py")
PIPE: Final = "TEN_RUNS_PIPE"
"""Names the variable with the path of the pipe on which the runs say what they have trained."""
HANGS: Final = "TEN_RUNS_HANGS"
"""Names the variable that is set where the first run is to hang in its thread, and to be asked to stop then."""
CALM: Final = "TEN_RUNS_CALM"
"""Names the variable that is set where all runs are to be paced, so that a page beside them is quick."""
CALM_PACE: Final = Pace.rate(20)
NUM_AT_FULL_SPEED: Final = 4
PACES: Final = (
    *[Pace.full_speed()] * NUM_AT_FULL_SPEED,
    *(Pace.rate(epochs_per_second) for epochs_per_second in (5, 20, 50, 100, 500, 1000)),
)
SEEDS: Final = range(1, len(PACES) + 1)
"""A run's seed is its number."""
HANGING: Final = 1
HANGS_AT_EPOCH: Final = 20


class Witness:
    """Hears (epoch, seconds of the system's steady clock) of every block of each run, until the last breath."""

    def __init__(self, pipe: Path) -> None:
        self._told: dict[int, list[tuple[int, float]]] = defaultdict(list)
        self._thread = threading.Thread(target=self._listen, args=(pipe,), daemon=True)
        self._thread.start()

    def num_epochs(self, seed: int) -> int:
        """Epochs that a run has told of."""
        told = self._told[seed]
        return told[-1][0] if told else 0

    def first_after(self, seed: int, epoch: int) -> float | None:
        """When the first block was told that goes beyond an epoch; None when there is none."""
        return next((at for last_epoch, at in self._told[seed] if last_epoch > epoch), None)

    def hear_the_last(self) -> None:
        """Wait until everything is heard of a process that is gone."""
        self._thread.join()

    def _listen(self, pipe: Path) -> None:
        with pipe.open() as lines:  # from the first who opens the other end to the last who closes it
            for line in lines:
                seed, epoch, at = line.split()
                self._told[int(seed)].append((int(epoch), float(at)))


@contextmanager
def ten_runs(
    folder: Path, environment: Mapping[str, str] | None = None, inside: Sequence[str] = ()
) -> Iterator[tuple[Server, Witness]]:
    """The real server, with ten runs that all train; `inside` is a command in which it is started."""
    pipe = folder / "told"
    os.mkfifo(pipe)
    witness = Witness(pipe)
    variables = {PIPE: str(pipe), "DPDASH_FULL_SPEED_SLOTS": str(NUM_AT_FULL_SPEED), **(environment or {})}
    server = start_server(folder, variables, APP, inside)
    try:
        eventually(lambda: all(witness.num_epochs(seed) for seed in SEEDS))
        yield server, witness
    finally:
        stop_server(server)
        witness.hear_the_last()


@dataclass(frozen=True)
class Found:
    """What is stored of ten runs whose server is gone."""

    mistakes: tuple[str, ...]
    oldest_lost_seconds: float
    """How old the oldest epoch that is lost was when the server died; 0 when none is."""


def found(database: Path, witness: Witness, died_at: float | None = None) -> Found:
    """Open a dead server's database and look.

    `died_at` is in seconds of the system's steady clock; without it, the server died just now.
    """
    died_at = time.monotonic() if died_at is None else died_at
    witness.hear_the_last()
    with closing(sqlite3.connect(database)) as connection:
        [[integrity]] = connection.execute("PRAGMA integrity_check").fetchall()
    store = RunStore(f"sqlite:///{database}")
    mistakes = [] if integrity == "ok" else [f"the database is not sound: {integrity}"]
    records = store.runs()
    times = Counter(record.config.seed for record in records)
    if times != Counter(SEEDS):
        mistakes.append(f"the runs are not there once each: {times}")
    lost_since = died_at
    for record in records:
        seed, rows = record.config.seed, store.rows(record.run_id)
        num_rows = len(rows) if rows is not None else 0
        if record.status is not RunStatus.INTERRUPTED:
            mistakes.append(f"run {seed} is {record.status}")
        if record.num_epochs != num_rows:
            mistakes.append(f"run {seed} says {record.num_epochs} epochs and has {num_rows}")
        told_at = witness.first_after(seed, num_rows)
        if told_at is not None:
            # Trained by then, and said at the next flush.
            lost_since = min(lost_since, told_at - FLUSH_SECONDS)
    store.close()
    return Found(tuple(mistakes), died_at - lost_since)
