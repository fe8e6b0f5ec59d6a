"""A run of a million epochs as files: how long they take, and whether memory grows with the run."""

import http.client
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import psutil
import streamlit as st
import uvicorn
from starlette.applications import Starlette

from dpdash.core.config import RunConfig
from dpdash.core.events import RunFinished, RunStarted
from dpdash.core.translations import ENGLISH, language
from dpdash.files.formats import FILES, FormatName
from dpdash.files.imports import import_runs
from dpdash.files.run import whole_runs
from dpdash.runs.service import RunService
from dpdash.store.rows import MAX_BLOCK_ROWS
from dpdash.store.transfer import ArrivedRun
from dpdash.web.process import run_service
from dpdash.web.server import routes
from dpdash.web.tickets import OWNER_COOKIE, owner_of
from dpdash.web.transfers import export_address
from tests.bench.figure import Figure
from tests.fakes import block_of

MB: Final = 1e6
OWNER: Final = "bench"
COOKIE: Final = "b" * 32
MEASURED: Final = (FormatName.CSV, FormatName.PARQUET, FormatName.JSON, FormatName.TENSORBOARD)
MOST_SECONDS: Final = {FormatName.CSV: 10.0, FormatName.PARQUET: 10.0, FormatName.JSON: 10.0}
MOST_GROWTH_MB: Final = 20.0
"""A million epochs are 28 MB as they are stored, and 60 to 100 MB as text."""
READ_BYTES: Final = 2**16


@dataclass(frozen=True)
class Size:
    """Epochs of the run that is measured, of the one that its memory is compared with, and how often."""

    epochs: int
    few: int
    times: int


FULL: Final = Size(epochs=1_000_000, few=100_000, times=3)
QUICK: Final = Size(epochs=50_000, few=20_000, times=1)


@dataclass(frozen=True)
class _Cost:
    seconds: float
    peak_mb: float
    """The most that resident memory grew meanwhile."""
    num_bytes: int


Export = Callable[[str], _Cost]


def measure(size: Size, folder: Path) -> list[Figure]:
    """Write a long run and a short one in turns: as the command line does, and over HTTP as a page does."""
    os.environ["DPDASH_DATABASE_URL"] = f"sqlite:///{folder / 'runs.db'}"
    st.cache_resource.clear()
    service = run_service()
    for name, epochs in (("few", size.few), ("many", size.epochs)):
        service.runs.transfer.put({name: _run(epochs)}, OWNER)
    try:
        figures: list[Figure] = []
        for name in MEASURED:
            if FILES[name].is_installed:
                figures += _figures(size, name, str(name), partial(_encoded, service, name))
        with _served() as port:
            figures += _figures(size, FormatName.CSV, "csv over HTTP", partial(_fetched, port))
        figures.append(_import(size, service))
        return figures
    finally:
        service.shutdown()
        st.cache_resource.clear()


def _run(epochs: int) -> ArrivedRun:
    blocks = tuple(
        block_of(first, min(MAX_BLOCK_ROWS, epochs - first + 1)) for first in range(1, epochs + 1, MAX_BLOCK_ROWS)
    )
    return ArrivedRun(
        config=RunConfig(epochs=epochs),
        created_at=1.0,
        ended_at=2.0,
        started=RunStarted(1.0, ("made up",), (10_000,), emulated=False, one_device_step_seconds=None),
        learning_rate_changes=(),
        blocks=blocks,
        ended=RunFinished(epochs, 3.0, 0.0, epochs / 7),
        name=None,
        note="",
        tags=(),
        is_complete=True,
    )


def _figures(size: Size, name: FormatName, called: str, export: Export) -> list[Figure]:
    export("few")  # the first one of a process pays for what later ones find ready
    times = size.times if name in MOST_SECONDS else 1
    pairs = [(export("few"), export("many")) for _pair in range(times)]
    seconds = tuple(many.seconds for _few, many in pairs)
    growth = tuple(many.peak_mb - few.peak_mb for few, many in pairs)
    counted = f"{size.epochs:,} stored epochs, {pairs[0][1].num_bytes / MB:.0f} MB, {times} times"
    figures = [Figure(f"export: {called}", counted, seconds, "s")]
    if name in MOST_SECONDS:
        figures = [Figure(f"export: {called}", counted, seconds, "s", "at most", MOST_SECONDS[name])]
    memory = f"{counted}: peak of resident memory over what it was, less the same for {size.few:,} epochs"
    return [*figures, Figure(f"export: {called}, memory", memory, growth, "MB", "at most", MOST_GROWTH_MB)]


def _encoded(service: RunService, name: FormatName, run_id: str) -> _Cost:
    return _cost(FILES[name].encode(whole_runs(service.runs, [run_id]), language(ENGLISH)))


def _fetched(port: int, run_id: str) -> _Cost:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    address = export_address(FormatName.CSV, [run_id], owner_of(COOKIE), ENGLISH).removeprefix(".")
    connection.request("GET", address, headers={"Cookie": f"{OWNER_COOKIE}={COOKIE}"})
    answer = connection.getresponse()
    assert answer.status == 200
    cost = _cost(iter(lambda: answer.read(READ_BYTES), b""))
    connection.close()
    return cost


def _cost(parts: Iterator[bytes]) -> _Cost:
    process = psutil.Process()
    before = peak = process.memory_info().rss
    num_bytes, began = 0, time.perf_counter()
    for part in parts:
        num_bytes += len(part)
        peak = max(peak, process.memory_info().rss)
    return _Cost(time.perf_counter() - began, (peak - before) / MB, num_bytes)


def _import(size: Size, service: RunService) -> Figure:
    seconds = []
    with tempfile.TemporaryFile() as file:
        file.writelines(FILES[FormatName.JSON].encode(whole_runs(service.runs, ["many"]), language(ENGLISH)))
        for _time in range(size.times):
            file.seek(0)
            began = time.perf_counter()
            import_runs(file, service, OWNER)
            seconds.append(time.perf_counter() - began)
    return Figure("import: json", f"{size.epochs:,} epochs, checked and stored", tuple(seconds), "s")


@contextmanager
def _served() -> Iterator[int]:
    """The routes of the server in this process, whose memory is measured; the port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=list(routes())), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()
