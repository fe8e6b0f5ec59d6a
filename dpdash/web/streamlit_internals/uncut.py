"""Commands that are carried out whole.

Streamlit answers a page's next message as soon as the session is read or written: it raises there, in callbacks
too. A click would be swallowed, or a run started that no page shows. ADR 0019 says what is used here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType


@contextmanager
def uncut() -> Iterator[None]:
    """Let the page's next message wait until the end of the block; Streamlit keeps it, and adds later ones to it.

    A page that is to stop is not waited for: what runs after it may already have its session.
    """
    running = get_script_run_ctx()
    if running is None or running.script_requests is None:
        yield
        return
    session, requests = running.session_state, running.script_requests
    answer = session._yield_callback

    def answer_stop() -> None:
        if requests._state is ScriptRequestType.STOP:
            answer()

    # The session takes what is set on it for a value of the page.
    object.__setattr__(session, "_yield_callback", answer_stop)
    try:
        yield
    finally:
        object.__setattr__(session, "_yield_callback", answer)
