"""The same training as code of its own, to read, copy and start elsewhere.

It is worked out and sent while it is open only, in a fragment of its own: the page's first paint and the refreshes
of a run carry nothing of it, and opening it runs nothing else of the page.
"""

from functools import partial
from typing import Final

import streamlit as st

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_
from dpdash.core.events import LearningRateChanged
from dpdash.files.script import ScriptName, command, script, script_of
from dpdash.runs.service import RunSnapshot
from dpdash.ui.session.language import _, current
from dpdash.ui.session.state import wanted_settings

CODE_KEY: Final = "code"
TABS: Final = {ScriptName.DATA_PARALLEL: N_("DataParallel"), ScriptName.DDP: N_("DDP")}


def show_code_button(shown: RunSnapshot | None) -> None:
    """Show the button that opens the scripts, for the run that is shown or else for the sidebar's settings."""
    changes: tuple[LearningRateChanged, ...] = ()
    if shown is None:
        about, config = _("With the settings as they stand; needs torch and nothing else."), wanted_settings()
    else:
        about = _("With the settings of the run that is shown; needs torch and nothing else.")
        config, changes = shown.config, shown.history.learning_rate_changes
    st.fragment(_popover)(config, changes, about)


def _popover(config: RunConfig, changes: tuple[LearningRateChanged, ...], about: str) -> None:
    popover = st.popover(_("Show the code"), icon=":material/code:", key=CODE_KEY, on_change="rerun")
    if not popover.open:
        return
    with popover, st.container(key="code_body"):
        st.caption(about)
        names = {name: _(text) for name, text in TABS.items()}
        opened = names[script_of(config.engine)]
        for name, tab in zip(names, st.tabs(list(names.values()), default=opened), strict=True):
            with tab:
                _show_script(name, config, changes)


def _show_script(name: ScriptName, config: RunConfig, changes: tuple[LearningRateChanged, ...]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.code(command(name, config), language=None, wrap_lines=True)
        st.download_button(
            _("Download {file}").format(file=name.file_name),
            data=partial(script, name, config, current(), changes),
            file_name=name.file_name,
            mime="text/x-python",
            key=f"download_{name}",
            icon=":material/download:",
            on_click="ignore",
        )
    # Wrapped: what scrolls by itself could not be scrolled with the keyboard.
    st.code(script(name, config, current(), changes), wrap_lines=True)
