"""A workshop on one server: runs that train, learners who start anew, and ever more pages that watch."""

import asyncio
import sqlite3
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import parse_qs

import psutil

from dpdash.training.processes.pool import MODULE
from tests.bench.figure import Figure, pairwise
from tests.e2e.server import Server, running_server
from tests.raw_client import RawPage, new_cookie

FULL_SPEED_RUNS: Final = 4
LEARNERS: Final = 10
CROWDS: Final = (1, 10, 40)
ARRIVAL_SECONDS: Final = 5.0
LONG_RUN: Final = "samples=10000&epochs=1000000&engine=single&replicas=1"
DEFAULT_RUN: Final = "engine=single&replicas=1"
DEFAULT_RUN_SECONDS: Final = 9.0
"""A default run at its usual pace takes eight."""
CURVE_EPOCHS: Final = 5000
"""From here on a curve has as many points as it ever has."""
ENVIRONMENT: Final = {"DPDASH_FULL_SPEED_SLOTS": str(FULL_SPEED_RUNS)}


@dataclass(frozen=True)
class Size:
    """How long each crowd watches, and how often the trainers are compared with and without it."""

    seconds: float
    pairs: int

    @property
    def pair_seconds(self) -> float:
        """Of each half of a pair: many short ones say more than a few long ones on a shared machine."""
        return 0.3 * self.seconds


FULL: Final = Size(seconds=20, pairs=15)
QUICK: Final = Size(seconds=2, pairs=1)


@dataclass
class Seen:
    """What the pages of a crowd lived through."""

    joining: list[float] = field(default_factory=list)
    """Seconds from the connection to the whole page."""
    waits: list[float] = field(default_factory=list)
    """Seconds from each timer's tick to the answer's last message."""
    num_due: int = 0
    """Ticks of the pages' timers."""
    num_served: int = 0
    """Those whose answer was whole before the next one."""
    num_bytes: int = 0

    def begin(self) -> None:
        """Count refreshes from here on."""
        self.waits.clear()
        self.num_due = self.num_served = self.num_bytes = 0


def measure(size: Size, folder: Path) -> list[Figure]:
    """The figures of every crowd."""
    cost, training = folder / "cost", folder / "training"
    for each in (cost, training):
        each.mkdir()
    with running_server(cost, ENVIRONMENT) as server:
        cpu = asyncio.run(_refresh_cpu(server, size))
    with running_server(training, ENVIRONMENT) as server:
        figures = asyncio.run(_crowds(server, size))
    return [*figures, cpu]


async def _crowds(server: Server, size: Size) -> list[Figure]:
    figures: list[Figure] = []
    async with learners(server):
        for num_pages in CROWDS:
            async with _full_speed(server) as runs:
                figures += await _crowd(server, runs, num_pages, size)
        figures += await _trainers(server, size)
    return figures


@asynccontextmanager
async def _full_speed(server: Server) -> AsyncIterator[list[str]]:
    """New runs at full speed, stopped at the end: the longest run there can be is over within minutes."""
    async with AsyncExitStack() as stack:
        started = [await start_run(stack, server, LONG_RUN, "Max") for _run in range(FULL_SPEED_RUNS)]
        runs = [run for _page, run in started]
        while _num_epochs(server, runs) < FULL_SPEED_RUNS * CURVE_EPOCHS:
            await asyncio.sleep(0.1)
        yield runs
        for page, _run in started:
            await page.click("transport_stop")


async def _crowd(server: Server, runs: Sequence[str], num_pages: int, size: Size) -> list[Figure]:
    own = psutil.Process()
    async with _watching(server, runs, num_pages) as seen:
        seen.begin()
        before, began = sum(own.cpu_times()[:2]), monotonic()
        await asyncio.sleep(size.seconds)
        own_share = (sum(own.cpu_times()[:2]) - before) / (monotonic() - began)
    waits = sorted(seen.waits)
    name = f"crowd of {num_pages}"
    counted = (
        f"{size.seconds:g} s, {FULL_SPEED_RUNS} runs at full speed and {LEARNERS} learners with one default run "
        f"after the other; {len(waits)} refreshes; the watchers themselves took {own_share:.0%} of a core"
    )
    return [
        Figure(
            f"{name}: refreshes served",
            counted,
            (seen.num_served / max(seen.num_due, 1) * 100,),
            "%",
            "at least",
            98,
        ),
        Figure(f"{name}: wait, 95th percentile", counted, (quantile(waits, 0.95) * 1000,), "ms", "at most", 150),
        Figure(f"{name}: wait, median", counted, (statistics.median(waits) * 1000,), "ms"),
        Figure(
            f"{name}: joining, slowest",
            f"from the connection to the whole page, all within {ARRIVAL_SECONDS:g} s",
            (max(seen.joining),),
            "s",
            "at most",
            0.5,
        ),
        Figure(f"{name}: sent per refresh", counted, (seen.num_bytes / len(waits) / 1000,), "kB", "at most", 12),
    ]


async def _trainers(server: Server, size: Size) -> list[Figure]:
    """How fast the runs at full speed are while the largest crowd watches them, beside while nobody does."""
    alone, watched = [], []
    for _pair in range(size.pairs):
        async with _full_speed(server) as runs:
            alone.append(await _progress(server, runs, size.pair_seconds))
            async with _watching(server, runs, CROWDS[-1]):
                watched.append(await _progress(server, runs, size.pair_seconds))
    (epochs, cores), (epochs_alone, cores_alone) = zip(*watched, strict=True), zip(*alone, strict=True)
    in_turns = f"watched over unwatched, {size.pairs} pairs of {size.pair_seconds:g} s in turns"
    return [
        Figure(
            f"crowd of {CROWDS[-1]}: epochs a second kept",
            f"epochs of {FULL_SPEED_RUNS} runs at full speed that reach the database, {in_turns}",
            tuple(100 * ratio for ratio in pairwise(epochs, epochs_alone)),
            "%",
            "at least",
            80,
        ),
        Figure(
            f"crowd of {CROWDS[-1]}: CPU time of the trainers kept",
            f"CPU time of the processes that train, {in_turns}",
            tuple(100 * ratio for ratio in pairwise(cores, cores_alone)),
            "%",
        ),
    ]


async def _refresh_cpu(server: Server, size: Size) -> Figure:
    """What a refresh costs where next to nothing trains: at full speed the trainers take whatever is left."""
    process = [psutil.Process(server.process.pid)]
    values = []
    async with AsyncExitStack() as stack:
        page = await stack.enter_async_context(RawPage.opened(server.url, LONG_RUN, new_cookie(server.url)))
        run = await press_start(page, "Max")
        while _num_epochs(server, [run]) < CURVE_EPOCHS:
            await asyncio.sleep(0.1)
        page.set("pace", "Slow motion")
        await page.run()
        for _pair in range(size.pairs):
            idle = await _cpu_seconds(process, size.pair_seconds)
            async with _watching(server, [run], CROWDS[-1]) as seen:
                seen.begin()
                busy = await _cpu_seconds(process, size.pair_seconds)
                values.append((busy - idle) / len(seen.waits) * 1000)
    return Figure(
        f"crowd of {CROWDS[-1]}: server CPU per refresh",
        f"a run in slow motion with a whole curve, {size.pairs} pairs of {size.pair_seconds:g} s watched and "
        "unwatched in turns; the difference in CPU time over the refreshes",
        tuple(values),
        "ms",
        "at most",
        8,
    )


@asynccontextmanager
async def _watching(server: Server, runs: Sequence[str], num_pages: int) -> AsyncIterator[Seen]:
    """Let pages arrive within a few seconds, each to watch one of the runs."""
    seen, leave = Seen(), asyncio.Event()
    tasks = []
    for number in range(num_pages):
        tasks.append(asyncio.create_task(watch(server, runs[number % len(runs)], seen, leave)))
        await asyncio.sleep(ARRIVAL_SECONDS / num_pages)
    while len(seen.joining) < num_pages:
        await asyncio.sleep(0.05)
    yield seen
    leave.set()
    await asyncio.gather(*tasks)


async def watch(server: Server, run: str, seen: Seen, leave: asyncio.Event) -> None:
    """One page: it asks at every tick of its timer, and leaves out those during which it still waits."""
    cookie = await asyncio.to_thread(new_cookie, server.url)
    began = monotonic()
    async with RawPage.opened(server.url, f"run={run}", cookie) as page:
        await page.run()
        seen.joining.append(monotonic() - began)
        due = monotonic()
        while not leave.is_set():
            if page.timer is None:
                await page.run()
                assert page.timer is not None, "a run that trains is refreshed"
            interval = page.timer[1]
            received = page.num_bytes
            await page.refresh()
            wait = monotonic() - due
            num_due = max(1, int(wait / interval))
            seen.waits.append(wait)
            seen.num_due += num_due
            seen.num_served += wait <= interval
            seen.num_bytes += page.num_bytes - received
            due += num_due * interval
            await asyncio.sleep(max(0.0, due - monotonic()))


@asynccontextmanager
async def learners(server: Server) -> AsyncIterator[None]:
    """Ten browsers, each of which starts the default run again when it must be over."""
    leave = asyncio.Event()
    tasks = [asyncio.create_task(_learn(server, number, leave)) for number in range(LEARNERS)]
    yield
    leave.set()
    await asyncio.gather(*tasks)


async def _learn(server: Server, number: int, leave: asyncio.Event) -> None:
    cookie = await asyncio.to_thread(new_cookie, server.url)
    async with RawPage.opened(server.url, DEFAULT_RUN, cookie) as page:
        await page.run()
        await asyncio.sleep(number * DEFAULT_RUN_SECONDS / LEARNERS)
        while not leave.is_set():
            await page.click("transport_start")
            await asyncio.sleep(DEFAULT_RUN_SECONDS)


async def start_run(stack: AsyncExitStack, server: Server, query: str, pace: str) -> tuple[RawPage, str]:
    """Start a run in a browser that stays there; its page, and the run's id."""
    page = await stack.enter_async_context(RawPage.opened(server.url, query, new_cookie(server.url)))
    return page, await press_start(page, pace)


async def press_start(page: RawPage, pace: str) -> str:
    await page.run()
    page.set("pace", pace)
    await page.click("transport_start")
    return parse_qs(page.query)["run"][0]


async def _progress(server: Server, runs: Sequence[str], seconds: float) -> tuple[float, float]:
    """Epochs a second of these runs, and the cores that the processes which train have meanwhile."""
    trainers = [child for child in psutil.Process(server.process.pid).children() if MODULE in child.cmdline()]
    assert trainers, "nothing trains in a process of its own"
    num_epochs, began = _num_epochs(server, runs), monotonic()
    cpu_seconds = await _cpu_seconds(trainers, seconds)
    took = monotonic() - began
    return (_num_epochs(server, runs) - num_epochs) / took, cpu_seconds / took


def _num_epochs(server: Server, runs: Sequence[str]) -> int:
    """Epochs of these runs that are saved."""
    marks = ", ".join("?" * len(runs))
    with closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            f"SELECT coalesce(sum(num_epochs), 0) FROM blocks WHERE run_id IN ({marks})", runs
        )
        number: int = found.fetchone()[0]
        return number


async def _cpu_seconds(processes: Sequence[psutil.Process], seconds: float) -> float:
    """CPU time that these processes take within so many seconds, all of them together."""

    def so_far() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    before = so_far()
    await asyncio.sleep(seconds)
    return so_far() - before


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
