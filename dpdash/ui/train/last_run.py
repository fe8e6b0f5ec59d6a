"""The run that this browser had last, offered where the page shows none."""

import streamlit as st

from dpdash.runs.service import RunSnapshot
from dpdash.store.rows import RunRecord
from dpdash.ui.parts.button import button
from dpdash.ui.parts.refreshing import refreshing
from dpdash.ui.session.language import _, current, number
from dpdash.ui.train import commands
from dpdash.web.process import owner, run_service


def show_last_run(shown: RunSnapshot | None) -> None:
    """Say what became of it, on a timer only while it is not over, with a button that shows it."""
    last = None if shown is not None else _last()
    if last is None:
        return
    interval = None if last.status.is_over else run_service().room.refresh_seconds
    with st.container(horizontal=True, vertical_alignment="center", width="content", key="last_run"):
        refreshing(_last, _say, _state, _state(last), interval)
        button(_("Open"), "last_run_open", "open_in_new", lambda: commands.open_run(last.run_id))


def _last() -> RunRecord | None:
    return run_service().library.last(owner())


def _state(last: RunRecord | None) -> object:
    return last and (last.run_id, last.status)


def _say(last: RunRecord | None) -> None:
    if last is not None:
        text = _("Your last run: epoch {epoch}, {status}")
        st.markdown(
            text.format(epoch=number(last.num_epochs), status=current().name(last.status)), width="content"
        )
