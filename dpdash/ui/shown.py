"""The run that this session shows."""

import streamlit as st

from dpdash.errors import DpdashError, StoreError, UnknownRunError
from dpdash.runs.service import RunSnapshot
from dpdash.ui.service import owner, run_service
from dpdash.ui.state import RUN_KEY, put_settings, show_run

MISSING_KEY = "missing_run"
SETTINGS_FROM_KEY = "settings_from_run"


def shown_run() -> RunSnapshot | None:
    """The run in the session's address, or None; one that cannot be shown is forgotten and said so."""
    run_id = st.session_state[RUN_KEY]
    if run_id is None:
        return None
    try:
        shown = run_service().snapshot(run_id)
    except (UnknownRunError, StoreError) as error:
        show_run(None)
        st.session_state[MISSING_KEY] = error
        return None
    return shown


def take_missing_run() -> DpdashError | None:
    """Why the run of the link is not shown, once."""
    missing: DpdashError | None = st.session_state.pop(MISSING_KEY, None)
    return missing


def take_settings_of_linked_run() -> None:
    """When a link names a run, its settings are the sidebar's."""
    if st.session_state.get(SETTINGS_FROM_KEY):
        return
    st.session_state[SETTINGS_FROM_KEY] = True
    shown = shown_run()
    if shown is not None:
        put_settings(shown.config)


def is_mine(shown: RunSnapshot | None) -> bool:
    """Whether this browser started the run."""
    return shown is not None and shown.owner == owner()
