"""What a session keeps: the settings in its sidebar and the run that it shows."""

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from dpdash.core.config import RunConfig
from dpdash.core.errors import ConfigError
from dpdash.web.streamlit_internals.push import RUN_KEY

SETTINGS_KEY: Final = "settings"
"""The settings as they last were allowed: what a page sends, or leaves out, need not be."""
PAGE_KEY: Final = "page"
"""The page that was last drawn."""
STUDY_KEY: Final = "scaling_study"
"""Id of the study that is shown."""
SWEEP_KEY: Final = "sweep_shown"
"""Id of the sweep that is shown."""
OPEN_KEY: Final = "sweep_opens_train"
"""Whether a trial was chosen that the Train page is to show."""
LOOK_BACK_KEY: Final = "look_back"
"""The epoch that a person has chosen to look back to; absent while the newest is shown."""
ALL_SAMPLES: Final = "all"
"""The option of the global batch size that stands for no limit."""


NUM_SHARED: Final = 16
"""Views whose parts are kept for the pages that look at the same run at about the same time."""


def put_settings(config: RunConfig) -> None:
    """Show these settings in the sidebar."""
    st.session_state[SETTINGS_KEY] = config
    for name, value in config:
        put_setting(name, value)


def put_setting(name: str, value: Any) -> None:
    """Show one setting's value in the sidebar."""
    st.session_state[name] = _in_sidebar(name, value)


def wanted_settings() -> RunConfig:
    """The settings as they stand in the sidebar now, or as they last were allowed where these are not."""
    last: RunConfig = st.session_state[SETTINGS_KEY]
    values = {name: st.session_state.get(name, value) for name, value in last}
    size, samples = values["global_batch_size"], values["samples"]
    if size == ALL_SAMPLES or (isinstance(size, int) and isinstance(samples, int) and size >= samples):
        values["global_batch_size"] = None
    try:
        return RunConfig.parse(values)
    except ConfigError:
        return last


def enter_page(path: str) -> None:
    """Let the sidebar of a page that has just been turned to stand where the last page's stood.

    Without that, a slider of the new page says until the next run that it stands at its lowest.
    """
    if st.session_state.get(PAGE_KEY) != path:
        put_settings(wanted_settings())
        st.session_state[PAGE_KEY] = path


def settle_settings() -> None:
    """Let the sidebar stand at settings that are allowed, whatever the page has sent."""
    config = wanted_settings()
    st.session_state[SETTINGS_KEY] = config
    for name, value in config:
        if st.session_state.get(name) != _in_sidebar(name, value):
            put_setting(name, value)


def apply_changes(changes: Mapping[str, Any]) -> None:
    """Show a suggestion's values in the sidebar."""
    for name, value in changes.items():
        put_setting(name, value)


def show_run(run_id: str | None) -> None:
    """Show a run, from its latest epoch."""
    st.session_state[RUN_KEY] = run_id
    st.session_state.pop(LOOK_BACK_KEY, None)


def _in_sidebar(name: str, value: Any) -> Any:
    return ALL_SAMPLES if name == "global_batch_size" and value is None else value
