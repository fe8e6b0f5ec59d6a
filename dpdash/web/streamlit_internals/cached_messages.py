"""Refers a page only to messages that it surely still has.

A browser keeps what it was sent, says in each message what that is, and lets go of what three runs have not shown
again. What it says while such a run is on its way names what is gone when it is answered: referred to it, the page
stops with an error of Streamlit's. So a run refers to what the last whole run has shown, and to nothing else.
ADR 0019 says what is used here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext

SHOWN_KEY: Final = "shown_messages"
"""The hashes of what the last whole run has shown outside fragments, which come and go by themselves."""


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Sends messages on, and keeps the hashes of those that the browser keeps."""

    running: ScriptRunContext
    send: Callable[[ForwardMsg], None]
    shown: set[str]

    def __call__(self, message: ForwardMsg) -> None:
        is_of_the_page = not self.running.fragment_ids_this_run and not message.delta.fragment_id
        if is_of_the_page and (message.ref_hash or message.metadata.cacheable):
            self.shown.add(message.ref_hash or message.hash)
        self.send(message)


def refer_to_the_last_run() -> None:
    """From here on, this run refers to what the last one has shown, and keeps what it shows itself."""
    running = get_script_run_ctx()
    if running is None:
        return
    running.cached_message_hashes &= frozenset(st.session_state.get(SHOWN_KEY, ()))
    shown: set[str] = set()
    st.session_state[SHOWN_KEY] = shown
    send = running._enqueue
    running._enqueue = _Recorder(running, send.send if isinstance(send, _Recorder) else send, shown)
