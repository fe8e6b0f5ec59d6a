"""Locks the database of ten runs for ten seconds; they go on, and nothing of them is lost."""

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from rich.console import Console

from tests.bench.figure import Figure
from tests.faults.witness import SEEDS, found, ten_runs

LOCK_SECONDS: Final = 10.0
END_SECONDS: Final = 5.0


def wear(folder: Path) -> tuple[Figure, ...]:
    """Lock once, and end the server soon after."""
    with ten_runs(folder) as (server, witness):
        with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            before = [witness.num_epochs(seed) for seed in SEEDS]
            time.sleep(LOCK_SECONDS)
            trained = tuple(
                float(witness.num_epochs(seed) - so_far) for seed, so_far in zip(SEEDS, before, strict=True)
            )
        asked_at = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait()
        died_at = time.monotonic()
    after = found(server.database, witness, died_at)
    Console(stderr=True).print(*after.mistakes, sep="\n")
    while_locked = f"{LOCK_SECONDS:g} s of an exclusive lock on the database of ten runs"
    return (
        Figure("epochs trained while locked", while_locked, trained),
        Figure("the same, of the slowest run", while_locked, (min(trained),), "", "at least", 1),
        Figure("mistakes in what is stored", while_locked, (float(len(after.mistakes)),), "", "at most", 0),
        Figure("age of the oldest epoch lost", while_locked, (after.oldest_lost_seconds,), "s", "at most", 0),
        Figure("end after SIGTERM", "right after the lock", (died_at - asked_at,), "s", "at most", END_SECONDS),
    )
