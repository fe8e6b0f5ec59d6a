"""The real app with ten runs from its start on, which say on a pipe what they have trained.

`streamlit run` starts it; `witness.py` has the other end of the pipe.
"""

import os
from functools import partial
from typing import Final
from unittest import mock

import streamlit as st

from dpdash.core.config import RunConfig
from dpdash.core.settings import ServerSettings
from dpdash.runs import service as service_module
from dpdash.training.processes.pool import TrainingProcesses
from dpdash.web import server, trainers
from dpdash.web.process import run_service
from tests.e2e.server import ROOT
from tests.fakes import eventually
from tests.faults import telling
from tests.faults.app import starting
from tests.faults.witness import CALM, CALM_PACE, HANGING, HANGS, HANGS_AT_EPOCH, PACES, SEEDS

LOOK_AROUND_SECONDS: Final = 0.2


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
        hanging = ids[HANGING - 1]
        eventually(lambda: service.runs.snapshot(hanging).history.num_epochs >= HANGS_AT_EPOCH)
        service.stop(hanging, f"browser {HANGING}")


# So often that every test sees it many times.
mock.patch.object(service_module, "LOOK_AROUND_SECONDS", LOOK_AROUND_SECONDS).start()
# Both, for as long as no process is ready, or where none is wanted, the server itself trains.
mock.patch.object(trainers, "TrainingProcesses", partial(TrainingProcesses, module=telling.__name__)).start()
telling.let_runs_tell()
# Written out: Streamlit looks for it in the text of this file.
app = st.App(
    str(ROOT / "dpdash" / "main.py"),
    lifespan=starting(start_runs),
    routes=server.routes(),
    middleware=server.middleware(ServerSettings()),
)
