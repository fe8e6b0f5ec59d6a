"""Which pages are asked to draw themselves again."""

import asyncio
from unittest.mock import Mock

import pytest
from streamlit import runtime
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime import Runtime
from streamlit.runtime.app_session import AppSession

from dpdash.web.streamlit_internals import push
from dpdash.web.streamlit_internals.push import RUN_KEY, OpenPages
from tests.loops import in_a_loop_of_its_own


def page(page_script_hash: str, run_id: str | None) -> Mock:
    """A browser's page that shows a run; its first drawing gives it the hash of its script."""
    session = Mock(spec=AppSession, id=f"{page_script_hash} {run_id}", session_state={RUN_KEY: run_id})
    session._client_state = ClientState(page_script_hash=page_script_hash)
    session._scriptrunner = None
    return session


def redraw(pages: list[Mock], run_id: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the pages, and wait until each has had its turn."""
    by_id = {session.id: session for session in pages}

    async def ask() -> None:
        server = Mock(spec=Runtime)
        server._session_mgr = Mock()
        server._session_mgr.list_active_sessions.return_value = [Mock(session=session) for session in pages]
        server._get_async_objs.return_value.eventloop = asyncio.get_running_loop()
        server.get_app_session.side_effect = by_id.get
        server.is_active_session.return_value = True
        monkeypatch.setattr(runtime, "get_instance", lambda: server)
        open_pages = OpenPages()
        open_pages.redraw_others(run_id)
        await asyncio.sleep(0)
        while open_pages._is_asking:
            await asyncio.sleep(0)

    monkeypatch.setattr(push, "SPACING_SECONDS", 0.0)
    in_a_loop_of_its_own(asyncio.wait_for(ask(), timeout=20.0))


@pytest.mark.parametrize("run_id", ["shown", None])
def test_a_page_that_was_never_drawn_is_not_asked_for_only_its_browser_knows_its_link(
    run_id: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, never_drawn = page("main", "shown"), page("", "shown")
    redraw([never_drawn, drawn], run_id, monkeypatch)
    drawn.request_rerun.assert_called_once_with(drawn._client_state)
    never_drawn.request_rerun.assert_not_called()


def test_only_pages_that_show_the_run_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [page("main", "shown"), page("main", "other"), page("main", None)]
    redraw(pages, "shown", monkeypatch)
    assert [session.request_rerun.called for session in pages] == [True, False, False]
    redraw(pages, None, monkeypatch)
    assert [session.request_rerun.call_count for session in pages] == [2, 1, 1]
