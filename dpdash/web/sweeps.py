"""The process's one sweep service, and which sweep a session shows."""

from typing import Final

import streamlit as st

from dpdash.core.settings import ServerSettings
from dpdash.sweeps.service import SweepService
from dpdash.web.process import run_service

SWEEP_KEY: Final = "sweep_shown"
"""Id of the sweep that is shown."""
OPEN_KEY: Final = "sweep_opens_train"
"""Whether a trial was chosen that the Train page is to show."""


@st.cache_resource(show_spinner=False)
def sweep_service() -> SweepService:
    """The service that every page of this process shares."""
    return SweepService.open(run_service(), ServerSettings())
