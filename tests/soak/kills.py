"""Kills a server in the middle of ten runs, at twenty random moments."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track

from dpdash.store.store import RunStore
from tests.bench.figure import Figure
from tests.chance import chance
from tests.e2e.server import running_server
from tests.faults.witness import Found, found, ten_runs

NUM_KILLS: Final = 20
LIFE_SECONDS: Final = (1.0, 10.0)
"""How long the runs train: at least so long that all of them have something to lose."""
OLDEST_LOST_SECONDS: Final = 1.0
LONGER_START_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Kill:
    """What one kill left behind, and how long a server takes to start."""

    after: Found
    start_seconds: float
    """From the start of the next server's process until it is healthy."""
    empty_start_seconds: float
    """The same on a database without runs, at the same time, so that both have the same machine."""


def wear(folder: Path, num_kills: int = NUM_KILLS) -> tuple[Figure, ...]:
    """Kill so often, each time with a database of its own."""
    kills = [_kill(folder / str(number)) for number in track(range(num_kills), "kills")]
    Console(stderr=True).print(*(mistake for kill in kills for mistake in kill.after.mistakes), sep="\n")
    lost = tuple(kill.after.oldest_lost_seconds for kill in kills)
    starts = tuple(kill.start_seconds for kill in kills)
    empty_starts = tuple(kill.empty_start_seconds for kill in kills)
    longer = tuple(start - empty for start, empty in zip(starts, empty_starts, strict=True))
    num_mistakes = float(sum(len(kill.after.mistakes) for kill in kills))
    each = f"each of {num_kills} kills amid ten runs"
    return (
        Figure("mistakes in what is stored", f"all of {num_kills} kills", (num_mistakes,), "", "at most", 0),
        Figure("age of the oldest epoch lost", each, lost, "s"),
        Figure("the same, of the worst kill", each, (max(lost),), "s", "at most", OLDEST_LOST_SECONDS),
        Figure("start on an empty database", "at the same time as each next start", empty_starts, "s"),
        Figure("next start", "process to healthy, after each kill", starts, "s"),
        Figure("it takes longer by, at worst", each, (max(longer),), "s", "at most", LONGER_START_SECONDS),
    )


def _kill(folder: Path) -> Kill:
    killed, empty = folder / "killed", folder / "empty"
    for each in (killed, empty):
        each.mkdir(parents=True)
    with ten_runs(killed) as (server, witness):
        time.sleep(chance().uniform(*LIFE_SECONDS))
        died_at = time.monotonic()
        server.process.kill()
        server.process.wait()
    assert RunStore(f"sqlite:///{empty / 'runs.db'}").close()
    with ThreadPoolExecutor(2) as pool:
        empty_start_seconds, start_seconds = pool.map(_start_seconds, (empty, killed))
    return Kill(found(server.database, witness, died_at), start_seconds, empty_start_seconds)


def _start_seconds(folder: Path) -> float:
    began = time.monotonic()
    with running_server(folder):
        return time.monotonic() - began
