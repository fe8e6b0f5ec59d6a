"""Commands that are carried out whole.

Streamlit answers a page's next message as soon as the session is read or written: it raises there, in callbacks
too. A click would be swallowed, or a run started that no page shows. ADR 0019 says what is used here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType
from streamlit.runtime.state import SafeSessionState

_take_in: Final = SafeSessionState.on_script_will_rerun


def hear_out() -> None:
    """From here on, take in whole what a page says, before its next message is answered.

    Streamlit looks for that one first, and what was typed or clicked would be lost with it.
    """
    SafeSessionState.on_script_will_rerun = _taken_in  # type: ignore[assignment, method-assign]  # mypy takes it for bound


def _taken_in(session: SafeSessionState, *args: Any, **options: Any) -> None:
    with uncut():
        _take_in(session, *args, **options)


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
