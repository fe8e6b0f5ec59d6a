"""The real app with ten runs from its start on, which say on a pipe what they have trained.

`streamlit run` starts it; `witness.py` has the other end of the pipe.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from unittest import mock

import streamlit as st

from dpdash.config import EngineName, RunConfig
from dpdash.engines import catalog
from dpdash.engines.base import Availability, Emit, Engine
from dpdash.engines.control import RunControl
from dpdash.events import EpochBlock, RunEvent
from dpdash.runs import service as service_module
from dpdash.settings import ServerSettings
from dpdash.ui import server
from dpdash.ui.service import run_service
from tests.e2e.server import ROOT
from tests.faults.witness import CALM, CALM_PACE, HANGING, HANGS, HANGS_AT_EPOCH, PACES, PIPE, SEEDS

LOOK_AROUND_SECONDS: Final = 0.2


class Telling:
    """An engine whose runs write a line (seed, epoch, seconds of the system's steady clock) after each block."""

    def __init__(self, engine: Engine, pipe: int, hanging_seed: int | None) -> None:
        self.name = engine.name
        self.hangs = threading.Event()
        self._engine = engine
        self._pipe = pipe
        self._hanging_seed = hanging_seed

    def availability(self, config: RunConfig) -> Availability:
        return self._engine.availability(config)

    def run(self, config: RunConfig, emit: Emit, control: RunControl) -> None:
        def tell(event: RunEvent) -> None:
            emit(event)
            if isinstance(event, EpochBlock) and config.seed in SEEDS:
                os.write(self._pipe, f"{config.seed} {event.last_epoch} {time.monotonic()}\n".encode())
                if config.seed == self._hanging_seed and event.last_epoch >= HANGS_AT_EPOCH:
                    self.hangs.set()
                    threading.Event().wait()

        self._engine.run(config, tell, control)


telling = Telling(
    catalog.engine(EngineName.SINGLE), int(os.environ[PIPE]), HANGING if HANGS in os.environ else None
)


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """The app's own, and the runs."""
    async with server.lifespan(app):
        await asyncio.to_thread(start_runs)
        yield


def start_runs() -> None:
    """Start a run at each pace, each for a browser of its own."""
    service = run_service()
    ids = [
        service.start(
            RunConfig(samples=500, epochs=1_000_000, seed=seed),
            f"browser {seed}",
            CALM_PACE if CALM in os.environ else pace,
        )
        for seed, pace in zip(SEEDS, PACES, strict=True)
    ]
    if HANGS in os.environ:
        telling.hangs.wait()
        service.stop(ids[HANGING - 1], f"browser {HANGING}")


# So often that every test sees it many times.
mock.patch.object(service_module, "LOOK_AROUND_SECONDS", LOOK_AROUND_SECONDS).start()
mock.patch.object(catalog, "ENGINES", {**catalog.ENGINES, EngineName.SINGLE: telling}).start()
app = st.App(
    str(ROOT / "dpdash" / "main.py"),
    lifespan=lifespan,
    routes=server.ROUTES,
    middleware=server.middleware(ServerSettings()),
)
