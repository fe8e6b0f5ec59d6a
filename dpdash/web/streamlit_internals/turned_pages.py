"""Keeps a session on the page that it was turned to, whatever the page that was left still says.

A field that loses the focus to a link is sent after the click: with the values and the name of the page that was
left, to which Streamlit then goes back. It has no public way to tell such a message from a link's: ADR 0021.
"""

from dataclasses import dataclass
from typing import Final

import streamlit as st
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import get_script_run_ctx

TURN_KEY: Final = "turn"
_ask: Final = AppSession.request_rerun


@dataclass(slots=True)
class _Turn:
    """The pages of a session, by Streamlit's names."""

    drawn: str = ""
    asked: str = ""
    """The page that a link has asked for and that has not been drawn; empty where there is none."""


def keep_pages() -> None:
    """From here on, hear out what a page says that was left, and stay on the page that it was left for."""
    AppSession.request_rerun = _request  # type: ignore[assignment, method-assign]  # mypy takes it for a bound method


def note_page() -> None:
    """The page that this session begins to draw."""
    running = get_script_run_ctx()
    turn: _Turn = st.session_state.setdefault(TURN_KEY, _Turn())
    if running is not None and turn.asked in ("", running.page_script_hash):
        turn.drawn, turn.asked = running.page_script_hash, ""


def _request(session: AppSession, asked: ClientState | None) -> None:
    state = session.session_state
    if asked is not None and TURN_KEY in state:
        turn: _Turn = state[TURN_KEY]
        shown = turn.asked or turn.drawn
        # A link is asked for without any values: the browser has forgotten those of the page that it leaves.
        is_late = bool(asked.widget_states.widgets) and asked.page_script_hash not in ("", shown)
        if is_late and asked.is_auto_rerun:
            return
        if is_late:
            asked.page_script_hash, asked.fragment_id = shown, ""
        else:
            turn.asked = "" if asked.page_script_hash == turn.drawn else asked.page_script_hash
    _ask(session, asked)
