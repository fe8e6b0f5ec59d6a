"""The real app with a few runs from its start on, whose learning rates somebody moves all the time.

`streamlit run` starts it; `resuming.py` has the runs, kills it, and lets them go on.
"""

import threading
import time

import streamlit as st

from dpdash.core.settings import ServerSettings
from dpdash.web import server
from dpdash.web.process import run_service
from tests.chance import chance
from tests.e2e.server import ROOT
from tests.faults.app import starting
from tests.faults.resuming import BETWEEN_MOVES_SECONDS, CONFIGS, FACTORS, OWNER, PACE


def start_runs() -> None:
    """Start the runs, and move their learning rates until the process ends."""
    service = run_service()
    moments = chance()
    ids = [service.start(config, OWNER, PACE) for config in CONFIGS]

    def move() -> None:
        while True:
            time.sleep(moments.uniform(*BETWEEN_MOVES_SECONDS))
            number = moments.randrange(len(ids))
            rate = CONFIGS[number].learning_rate * moments.uniform(*FACTORS)
            service.set_learning_rate(ids[number], OWNER, rate)

    threading.Thread(target=move, name="mover", daemon=True).start()


# Written out: Streamlit looks for it in the text of this file.
app = st.App(
    str(ROOT / "dpdash" / "main.py"),
    lifespan=starting(start_runs),
    routes=server.routes(),
    middleware=server.middleware(ServerSettings()),
)
