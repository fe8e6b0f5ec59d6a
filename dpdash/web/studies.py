"""The process's one scaling service, and which study a session shows."""

from typing import Final

import streamlit as st

from dpdash.scaling.service import ScalingService
from dpdash.web.process import run_service

STUDY_KEY: Final = "scaling_study"
"""Id of the study that is shown."""


@st.cache_resource(show_spinner=False)
def scaling_service() -> ScalingService:
    """The service that every page of this process shares."""
    service = run_service()
    return ScalingService(service.limits, service.runs.studies, lambda: service.room.is_frozen)
