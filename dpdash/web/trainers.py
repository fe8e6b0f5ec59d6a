"""The processes that train for this one; apart from the service, whose imports take as long as starting them."""

import streamlit as st

from dpdash.core.settings import ServerSettings
from dpdash.training.processes.pool import TrainingProcesses


@st.cache_resource(show_spinner=False)
def training_processes() -> TrainingProcesses:
    """The processes that train what this one's pages start; until they are started, this one trains itself."""
    return TrainingProcesses(ServerSettings().training_processes)
