"""A session stays on the page that it was turned to."""

from typing import Any
from unittest.mock import Mock

import pytest
import streamlit as st
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession

from dpdash.web.streamlit_internals import turned_pages


class Session(AppSession):
    """Streamlit's own, as far as the page needs it."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.state: dict[str, Any] = {}

    @property
    def session_state(self) -> Any:
        return self.state

    def __del__(self) -> None:
        """It has nothing to shut down."""


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr(turned_pages, "_ask", lambda session, asked: session.asked.append(asked))
    monkeypatch.setattr(AppSession, "request_rerun", AppSession.request_rerun)
    turned_pages.keep_pages()
    return Session()


def said(page: str, *values: str, fragment: str = "", is_auto_rerun: bool = False) -> ClientState:
    state = ClientState(page_script_hash=page, fragment_id=fragment, is_auto_rerun=is_auto_rerun)
    for value in values:
        state.widget_states.widgets.add(id=value, int_value=1)
    return state


def drawn(session: Session, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session begins to draw a page."""
    monkeypatch.setattr(st, "session_state", session.state)
    monkeypatch.setattr(turned_pages, "get_script_run_ctx", lambda: Mock(page_script_hash=page))
    turned_pages.note_page()


def pages(session: Session) -> list[str]:
    return [asked.page_script_hash for asked in session.asked if asked is not None]


def test_what_a_page_says_after_a_link_was_clicked_does_not_turn_back(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.request_rerun(said(""))
    drawn(session, "train", monkeypatch)
    session.request_rerun(said("runs"))
    session.request_rerun(said("train", "seed"))
    assert pages(session) == ["", "runs", "runs"]
    assert [widget.id for widget in session.asked[-1].widget_states.widgets] == ["seed"], "what was typed is heard"


def test_a_link_back_turns_back(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for page in ("train", "runs", "train"):
        session.request_rerun(said(page))
        drawn(session, page, monkeypatch)
        session.request_rerun(said(page, "noise"))
    assert pages(session) == ["train", "train", "runs", "runs", "train", "train"]


def test_a_run_of_the_page_that_was_left_does_not_undo_a_link(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(session, "train", monkeypatch)
    session.request_rerun(said("runs"))
    drawn(session, "train", monkeypatch)
    session.request_rerun(said("train", "seed"))
    assert pages(session) == ["runs", "runs"]


def test_a_page_that_the_program_turned_to_stays(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn(session, "sweep", monkeypatch)
    session.request_rerun(said("sweep", "best"))
    drawn(session, "train", monkeypatch)
    session.request_rerun(said("sweep", "best"))
    session.request_rerun(said("train", "noise"))
    assert pages(session) == ["sweep", "train", "train"]


def test_the_timer_of_a_page_that_was_left_is_not_heard_and_a_click_in_it_draws_the_whole_page(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(session, "train", monkeypatch)
    session.request_rerun(said("runs"))
    session.request_rerun(said("train", "live", fragment="f", is_auto_rerun=True))
    session.request_rerun(said("train", "pace", fragment="f"))
    assert pages(session) == ["runs", "runs"]
    assert session.asked[-1].fragment_id == ""


def test_a_page_that_comes_back_to_a_new_server_is_the_one_that_it_says(session: Session) -> None:
    session.request_rerun(said("scaling", "samples"))
    session.request_rerun(None)
    assert session.asked[0].page_script_hash == "scaling"
    assert session.asked[1] is None
