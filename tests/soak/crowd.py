"""Ten minutes of a workshop on one server: runs that train, learners who start anew, pages that come and go."""

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Final

import numpy as np
import psutil

from dpdash.core.events import RunStatus
from tests.bench.crowd import (
    CROWDS,
    ENVIRONMENT,
    FULL_SPEED_RUNS,
    LEARNERS,
    Seen,
    learners,
    quantile,
    start_run,
    watch,
)
from tests.bench.figure import Figure
from tests.e2e.server import Server, running_server
from tests.raw_client import RawPage, new_cookie

SECONDS: Final = 600.0
SETTLED_SECONDS: Final = 120.0
"""From here on, memory must be flat."""
STAY_SECONDS: Final = (10.0, 60.0)
MOST_GROWTH: Final = 1.0
"""MB a minute: ten learners start some 65 runs a minute, of which the latest 64 stay in memory, in curves that
differ in length; more than this would be noticed in a workshop of a day."""
SESSION_SECONDS: Final = 5
"""The server forgets a page so soon after it has gone, to count what it leaves without waiting for minutes."""
QUIET_SECONDS: Final = 60.0
"""The longest that everything may take to be given back."""
MEGABYTE: Final = 2**20
LONG_RUN: Final = "samples=100000&epochs=1000000&engine=single&replicas=1"
"""The longest run there can be, on so many samples that it outlasts the workshop."""


@dataclass
class Memory:
    """What the server held, and beside it the processes that train for it, in MB."""

    seconds: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    trainers: list[float] = field(default_factory=list)

    def figure(self, name: str, values: list[float], since: float) -> Figure:
        """How fast one of them grew, by least squares over what was seen after a moment."""
        late = np.array(self.seconds) >= since
        slope = float(np.polyfit(np.array(self.seconds)[late], np.array(values)[late], 1)[0] * 60)
        counted = (
            f"least squares after {since:g} s; {values[0]:.0f} MB at the start, {values[-1]:.0f} MB at the end"
        )
        return Figure(name, counted, (slope,), "MB/min", "at most", MOST_GROWTH)


@dataclass(frozen=True)
class Held:
    """What a server has open."""

    threads: int
    files: int


def wear(folder: Path, seconds: float = SECONDS) -> tuple[Figure, ...]:
    """Let the crowd come and go for so long."""
    environment = {**ENVIRONMENT, "STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": str(SESSION_SECONDS)}
    with running_server(folder, environment) as server:
        figures = asyncio.run(_workshop(server, seconds))
        tracebacks = server.log.read_text().count("Traceback")
        statuses = _statuses(server.database)
    well = statuses[RunStatus.FINISHED] + statuses[RunStatus.STOPPED]
    counted = ", ".join(f"{number} {status}" for status, number in sorted(statuses.items()))
    badly = float(statuses.total() - well)
    return (
        *figures,
        Figure("runs that did not end as they should", counted, (badly,), "", "at most", 0),
        Figure("tracebacks in the server's log", f"{seconds:g} s", (float(tracebacks),), "", "at most", 0),
    )


async def _workshop(server: Server, seconds: float) -> tuple[Figure, ...]:
    # The first ones fill pools of threads that then stay: what comes after them must not add to these.
    await _train_and_watch(server, min(seconds / 4, STAY_SECONDS[0]), Seen(), Memory())
    before = await _held_at_rest(server, None)
    seen, memory = Seen(), Memory()
    await _train_and_watch(server, seconds, seen, memory)
    after = await _held_at_rest(server, before)
    waits = sorted(seen.waits)
    settled = min(SETTLED_SECONDS, seconds / 2)
    said = (
        f"{seconds:g} s, {FULL_SPEED_RUNS} runs at full speed, {LEARNERS} learners, {CROWDS[-1]} pages that "
        f"each stay {STAY_SECONDS[0]:g} to {STAY_SECONDS[1]:g} s, {len(seen.joining)} in all"
    )
    return (
        memory.figure("memory of the server", memory.server, settled),
        memory.figure("memory of the processes that train", memory.trainers, settled),
        _left_over("threads left over", before.threads, after.threads),
        _left_over("files left open", before.files, after.files),
        Figure("refreshes served", said, (100 * seen.num_served / max(seen.num_due, 1),), "%"),
        Figure("wait, 95th percentile", said, (1000 * quantile(waits, 0.95),), "ms"),
        Figure("joining, slowest", said, (max(seen.joining),), "s"),
    )


def _left_over(name: str, before: int, after: int) -> Figure:
    return Figure(name, f"{before} before, {after} afterwards", (float(after - before),), "", "at most", 0)


async def _train_and_watch(server: Server, seconds: float, seen: Seen, memory: Memory) -> None:
    """A workshop from its first run to its last page."""
    async with AsyncExitStack() as stack:
        started = [await start_run(stack, server, LONG_RUN, "Max") for _run in range(FULL_SPEED_RUNS)]
        runs = [run for _page, run in started]
        ends_at = monotonic() + seconds
        async with learners(server), asyncio.TaskGroup() as pages:
            pages.create_task(_weigh(server, ends_at, memory))
            for number in range(CROWDS[-1]):
                pages.create_task(_come_and_go(server, runs, number, ends_at, seen))
        for page, _run in started:
            await page.run()
            await page.click("transport_stop")
        deadline = monotonic() + QUIET_SECONDS
        while monotonic() < deadline and not all(
            RunStatus(status).is_over for status in _statuses(server.database)
        ):
            await asyncio.sleep(1)


async def _come_and_go(server: Server, runs: list[str], number: int, ends_at: float, seen: Seen) -> None:
    """One seat: a page watches a run for a while, and then another page does."""
    chance = random.Random(number)
    await asyncio.sleep(chance.uniform(0, STAY_SECONDS[0] / 2))
    while (left := ends_at - monotonic()) > 0:
        leave = asyncio.Event()
        asyncio.get_running_loop().call_later(min(left, chance.uniform(*STAY_SECONDS)), leave.set)
        await watch(server, chance.choice(runs), seen, leave)


async def _weigh(server: Server, ends_at: float, memory: Memory) -> None:
    process, began = psutil.Process(server.process.pid), monotonic()
    while (now := monotonic()) < ends_at:
        memory.seconds.append(now - began)
        memory.server.append(process.memory_info().rss / MEGABYTE)
        memory.trainers.append(sum(child.memory_info().rss for child in process.children()) / MEGABYTE)
        await asyncio.sleep(1)


async def _held_at_rest(server: Server, before: Held | None) -> Held:
    """What is open once nothing changes any more, or as soon as it is no more than before."""
    process, looks = psutil.Process(server.process.pid), [Held(0, 0)]
    # Streamlit lets go of pages that are long gone when another one comes, and not by itself.
    await asyncio.sleep(SESSION_SECONDS + 1)
    async with RawPage.opened(server.url, cookie=new_cookie(server.url)) as page:
        await page.run()
    deadline = monotonic() + QUIET_SECONDS
    while monotonic() < deadline:
        looks.append(Held(process.num_threads(), _num_files(server)))
        if before is not None and looks[-1].threads <= before.threads and looks[-1].files <= before.files:
            break
        await asyncio.sleep(1)
        recent = looks[-3 * SESSION_SECONDS :]
        if before is None and len(looks) > len(recent) and all(one == other for one, other in pairwise(recent)):
            break
    return looks[-1]


def _num_files(server: Server) -> int:
    """Files, pipes and sockets that the server has open.

    Without those of the database itself: SQLite closes the file of a connection that ends only when no other
    connection holds a lock, and takes it again for the next one (https://www.sqlite.org/src/doc/trunk/src/os_unix.c).
    """
    process = psutil.Process(server.process.pid)
    spare = sum(Path(opened.path) == server.database for opened in process.open_files())
    return process.num_fds() - spare


def _statuses(database: Path) -> Counter[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return Counter(status for (status,) in connection.execute("SELECT status FROM runs"))
