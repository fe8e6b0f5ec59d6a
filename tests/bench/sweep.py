"""How fast a sweep of short trials is, beside Optuna with a bare loop: served, on the page, as a command."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from dpdash.core.settings import ServerSettings
from dpdash.runs.service import RunService
from dpdash.store.store import RunStore
from dpdash.sweeps.service import SweepService
from dpdash.training.catalog import require
from dpdash.training.processes.pool import TrainingProcesses
from dpdash.ui.sweep.page import REFRESH_SECONDS
from tests.bench.bare_sweep import PLAN, search
from tests.bench.figure import Figure, pairwise
from tests.bench.training import OWNER
from tests.e2e.server import ROOT, Server, running_server
from tests.raw_client import RawPage, new_cookie

FULL: Final = 5
QUICK: Final = 1
"""Pairs in turns."""
MOST: Final = 0.7
MOST_FOR_THE_COMMAND: Final = 1.0
LONGEST_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.01
COMMAND: Final = """
import sys, time
import optuna, torch._dynamo
from dpdash.cli.app import main
began = time.perf_counter()
try:
    main()
finally:
    sys.stderr.write(f"\\n{time.perf_counter() - began}")
"""
"""The command, which tells how long it takes once its main process has imported everything."""


def measure(num_pairs: int, folder: Path) -> tuple[Figure, ...]:
    """Run the preset in each way and the bare loop, in turns."""
    counted = (
        f"{num_pairs} pairs in turns: {PLAN.num_trials} trials of {PLAN.base.epochs} epochs of "
        f"{PLAN.base.samples:,} samples, over Optuna's own loop around a bare one in a warm process; "
        "every epoch is found in the database"
    )
    search()
    with _service(folder) as searched:
        served = _in_turns(searched, num_pairs)
    with _page(folder) as started:
        watched = _in_turns(started, num_pairs)
    command = _in_turns(lambda: _command(folder), num_pairs)
    return (
        _figure("the service", f"{counted}; from its start to the last row committed", served, MOST),
        _figure("on the page", f"{counted}; from the first trial's start, refreshed by a page", watched, MOST),
        _figure("the command", f"{counted}; from its imports to its end", command, MOST_FOR_THE_COMMAND),
    )


def _figure(name: str, counted: str, ratios: tuple[float, ...], most: float) -> Figure:
    return Figure(f"sweep: {name}, beside the bare loop", counted, ratios, "×", "at most", most)


def _in_turns(timed: Callable[[], float], num_pairs: int) -> tuple[float, ...]:
    timed()
    seconds: dict[Callable[[], float], list[float]] = {timed: [], search: []}
    for pair in range(num_pairs):
        for each in (timed, search) if pair % 2 else (search, timed):
            seconds[each].append(each())
    return pairwise(seconds[timed], seconds[search])


@contextmanager
def _service(folder: Path) -> Iterator[Callable[[], float]]:
    """A sweep of the service, whose trainers are warm."""
    url = f"sqlite:///{folder / 'service.db'}"
    settings, store = ServerSettings(database_url=url), RunStore(url)
    processes = TrainingProcesses(settings.training_processes)
    processes.start()
    runs = RunService(settings, store, lambda config: processes.outside(require(config)))
    sweeps = SweepService.open(runs, settings)
    processes.wait_until_ready(LONGEST_SECONDS)

    def timed() -> float:
        began = time.perf_counter()
        assert sweeps.wait(sweeps.start(PLAN, OWNER), LONGEST_SECONDS)
        assert store.flush(LONGEST_SECONDS)
        seconds = time.perf_counter() - began
        _check(folder / "service.db")
        return seconds

    try:
        yield timed
    finally:
        sweeps.close(LONGEST_SECONDS)
        runs.shutdown()
        processes.close()


@contextmanager
def _page(folder: Path) -> Iterator[Callable[[], float]]:
    """A sweep that is started and watched on a page of a server; its browser draws nothing."""
    with running_server(folder) as server:
        yield lambda: asyncio.run(_on_the_page(server))
        _check(server.database)


async def _on_the_page(server: Server) -> float:
    """From the first trial's start until the last row can be read from the database."""
    async with RawPage.opened(server.url, cookie=new_cookie(server.url), name="sweep") as page:
        await page.run()
        with closing(sqlite3.connect(server.database)) as database:
            before = _num_saved(database)
            await page.click("sweep_start")
            look_at = time.monotonic() + REFRESH_SECONDS
            while _num_saved(database) < before + PLAN.num_trials:
                await asyncio.sleep(LOOK_SECONDS)
                if time.monotonic() >= look_at and page.timer is not None:
                    await page.refresh()
                    look_at += REFRESH_SECONDS
            ended = time.time()
            first = "SELECT created_at FROM runs ORDER BY number LIMIT 1 OFFSET ?"
            return ended - float(database.execute(first, (before,)).fetchone()[0])


def _num_saved(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM runs WHERE ended_at IS NOT NULL").fetchone()[0])


def _command(folder: Path) -> float:
    """The command as a person types it, less what its main process imports."""
    database = folder / "command.db"
    told = subprocess.run(
        [sys.executable, "-c", COMMAND, "sweep", "--preset", "rate_optimizer"],
        cwd=ROOT,
        env={**os.environ, "DPDASH_DATABASE_URL": f"sqlite:///{database}"},
        capture_output=True,
        check=True,
    )
    _check(database)
    return float(told.stderr.splitlines()[-1])


def _check(database: Path) -> None:
    """Every epoch of every trial of the latest sweep is in the database, but of those that diverged."""
    store = RunStore(f"sqlite:///{database}")
    try:
        records = store.runs(PLAN.num_trials)
        assert len({record.config for record in records}) == PLAN.num_trials
        for record in records:
            rows = store.rows(record.run_id)
            assert rows is not None and len(rows) == record.num_epochs > 0
            assert record.status.is_over and (record.num_epochs == PLAN.base.epochs or record.status == "diverged")
    finally:
        store.close()
