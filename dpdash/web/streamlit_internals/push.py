"""Asks open pages to draw themselves again, without being touched.

A page whose run stands still has no timer, so it cannot see by itself that the teacher shows another run or that a
second page lets the run go on. Streamlit has no public way to reach it: ADR 0007 says what is used here, and why.
"""

import asyncio
from typing import Final

from streamlit import runtime
from streamlit.runtime import Runtime
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import get_script_run_ctx

RUN_KEY: Final = "run"
"""Where a page's session keeps the id of the run that it shows, or None."""
SPACING_SECONDS: Final = 0.02
"""Between two pages, so that a crowd's pages do not all draw at once while others train."""


class OpenPages:
    """The pages that browsers have open; each method may be called from any thread."""

    def __init__(self) -> None:
        # Only the runtime's event loop touches what follows.
        self._asked: dict[str, set[str] | None] = {}
        """Session to the runs of which one must be shown there, or to None: whatever it shows."""
        self._is_asking = False

    def redraw_others(self, run_id: str | None) -> None:
        """Let the other pages that show this run, or all others, do so; the one that asks is drawn anyhow."""
        asking = get_script_run_ctx(suppress_warning=True)
        try:
            server = runtime.get_instance()
            loop = server._get_async_objs().eventloop
            loop.call_soon_threadsafe(self._ask, server, loop, run_id, asking.session_id if asking else None)
        except RuntimeError:
            return  # a server that has not begun, or has ended, has no pages

    def _ask(
        self, server: Runtime, loop: asyncio.AbstractEventLoop, run_id: str | None, asking: str | None
    ) -> None:
        for active in server._session_mgr.list_active_sessions():
            session_id = active.session.id
            runs = self._asked.get(session_id, set())
            if session_id != asking:
                self._asked[session_id] = None if run_id is None or runs is None else {*runs, run_id}
        if not self._is_asking:
            self._is_asking = True
            self._ask_next(server, loop)

    def _ask_next(self, server: Runtime, loop: asyncio.AbstractEventLoop) -> None:
        if not self._asked:
            self._is_asking = False
            return
        loop.call_later(SPACING_SECONDS, self._ask_next, server, loop)
        session_id, runs = next(iter(self._asked.items()))
        del self._asked[session_id]
        session = server.get_app_session(session_id)
        if session is not None and server.is_active_session(session_id):
            if session._scriptrunner is not None:
                self._asked[session_id] = runs  # to the end of the queue: a run that is cut short may lose a click
            elif _has_drawn(session) and _shows_one_of(session, runs):
                session.request_rerun(session._client_state)


def _has_drawn(session: AppSession) -> bool:
    """Whether the page has been drawn before; one that has not will be, and only its browser knows its link."""
    return bool(session._client_state.page_script_hash)


def _shows_one_of(session: AppSession, runs: set[str] | None) -> bool:
    state = session.session_state
    return runs is None or (RUN_KEY in state and state[RUN_KEY] in runs)
