"""Opens a thousand hostile links on one server, which must bring neither a traceback nor more memory."""

import asyncio
from pathlib import Path
from typing import Final

import psutil

from dpdash.core.config import RunConfig
from tests.bench.figure import Figure
from tests.e2e.server import running_server
from tests.hostile.conftest import LIMITS, MAX_EPOCHS, MAX_SAMPLES
from tests.hostile.links import open_hostile_links

NUM_LINKS: Final = 1_000


def wear(folder: Path) -> tuple[Figure, ...]:
    """Open them; the first page that fails ends it."""
    with running_server(folder, LIMITS) as server:
        asyncio.run(open_hostile_links(server.url, NUM_LINKS, RunConfig(samples=MAX_SAMPLES, epochs=MAX_EPOCHS)))
        tracebacks = server.log.read_text().count("Traceback")
        memory = psutil.Process(server.process.pid).memory_info().rss / 2**20
    counted = f"{NUM_LINKS:,} hostile links, each a page of its own"
    return (
        Figure("tracebacks in the server's log", counted, (float(tracebacks),), "", "at most", 0),
        Figure("memory of the server afterwards", counted, (memory,), "MB"),
    )
