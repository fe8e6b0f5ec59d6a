from unittest.mock import Mock

import pytest
from streamlit import config
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner_utils.run_descriptor import RunDescriptor

from dpdash.web.streamlit_internals import session_once

PAGE = "page"
WHOLE = RunDescriptor("run-1")
REFRESH = RunDescriptor("run-2", ("fragment",))


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AppSession, "_create_new_session_message", session_once._work_out)
    session_once.keep_sessions()


class Session(AppSession):
    """Streamlit's own, as far as the message needs it."""

    def __init__(self) -> None:
        self.id = "session"
        self._script_data = Mock(main_script_path="/app/main.py", is_hello=False)
        self._script_data.name = "app"
        self._pages_manager = Mock(main_script_path="/app/main.py", main_script_hash="main")
        self._pages_manager.get_pages.return_value = {}
        self._run_on_save = False
        self._state = Mock()

    def __del__(self) -> None:
        """It has nothing to shut down."""


@pytest.fixture
def session() -> AppSession:
    return Session()


def said(session: AppSession, run: RunDescriptor, page: str = PAGE) -> ForwardMsg:
    return session._create_new_session_message(page, run, None)


def test_a_refresh_says_what_streamlit_would_say(session: AppSession) -> None:
    said(session, WHOLE)
    kept, worked_out = said(session, REFRESH), session_once._work_out(session, PAGE, REFRESH, None)
    assert kept.SerializeToString(deterministic=True) == worked_out.SerializeToString(deterministic=True)
    assert b"#B8400A" in kept.SerializeToString()
    assert kept.metadata.run.script_run_id == "run-2"
    assert list(kept.metadata.run.fragment_ids) == ["fragment"]


def test_a_refresh_looks_nothing_up(session: AppSession, monkeypatch: pytest.MonkeyPatch) -> None:
    told = said(session, WHOLE).new_session
    monkeypatch.setattr(config, "get_option", None)
    assert said(session, REFRESH).new_session == told
    with pytest.raises(TypeError):
        said(session, WHOLE)


def test_another_page_is_told_anew(session: AppSession) -> None:
    said(session, WHOLE)
    assert said(session, REFRESH, "other page").new_session.page_script_hash == "other page"
    assert said(session, REFRESH, "other page").new_session.page_script_hash == "other page"


def test_what_is_kept_is_no_part_of_a_message(session: AppSession) -> None:
    said(session, WHOLE).new_session.name = "changed on its way"
    assert said(session, REFRESH).new_session.name == "app"
