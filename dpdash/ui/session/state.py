"""What a session keeps: the settings of the next run, and the run that it shows."""

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from dpdash.core.config import RunConfig, for_its_engine
from dpdash.web.streamlit_internals.push import RUN_KEY

SETTINGS_KEY: Final = "settings"
"""The settings of the next run. No widget has them: what a page sends, or leaves out, need not be so."""
PROBLEMS_KEY: Final = "link_problems"
"""What of the link could not be taken as it was."""
OPEN_KEY: Final = "sweep_opens_train"
"""Whether a trial was chosen that the Train page is to show."""
LOOK_BACK_KEY: Final = "look_back"
"""The epoch that a person has chosen to look back to; absent while the newest is shown."""
NUM_SHARED: Final = 16
"""Views whose parts are kept for the pages that look at the same run at about the same time."""


def put_settings(config: RunConfig) -> None:
    """Let these be the settings of the next run."""
    st.session_state[SETTINGS_KEY] = config


def wanted_settings() -> RunConfig:
    """The settings of the next run."""
    config: RunConfig = st.session_state[SETTINGS_KEY]
    return config


def change_settings(changes: Mapping[str, Any]) -> None:
    """Change some settings of the next run, of which those stay that its engine has.

    A batch that then has all samples is one without a limit.

    Raises:
        ConfigError: when there are no such settings.
    """
    values = for_its_engine(dict(wanted_settings()) | dict(changes))
    size = values["global_batch_size"]
    if size is not None and size >= values["samples"]:
        values["global_batch_size"] = None
    put_settings(RunConfig.parse(values))
    forget_problems()


def forget_problems() -> None:
    """Say no more of what was wrong with the link: what was asked for since is something else."""
    st.session_state[PROBLEMS_KEY] = ()


def show_run(run_id: str | None) -> None:
    """Show a run, from its latest epoch."""
    st.session_state[RUN_KEY] = run_id
    st.session_state.pop(LOOK_BACK_KEY, None)
