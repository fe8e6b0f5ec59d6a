"""A run refers a page to what the last whole run has shown there."""

from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext, ThreadState

from dpdash.web.streamlit_internals import cached_messages

ALL = frozenset({"style", "chart", "runs", "feed", "small"})


class Page:
    """A session, and what reaches its browser."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[ForwardMsg] = []
        self.running = SimpleNamespace(
            cached_message_hashes=frozenset(), fragment_ids_this_run=None, _enqueue=self.sent.append
        )
        monkeypatch.setattr(cached_messages, "get_script_run_ctx", lambda: self.running)
        monkeypatch.setattr(st, "session_state", {})

    def run(self, *hashes: str, fragment: str = "") -> dict[str, str]:
        """A run of a browser that says that it has everything; how each message reaches it."""
        self.sent.clear()
        self.running.cached_message_hashes, self.running.fragment_ids_this_run = (
            ALL,
            [fragment] if fragment else None,
        )
        if not fragment:
            cached_messages.refer_to_the_last_run()
        for name in hashes:
            message = ForwardMsg(hash=name)
            message.metadata.cacheable = name != "small"
            message.delta.fragment_id = "of a fragment" if name == "feed" else ""
            running: Any = self.running
            ScriptRunContext.enqueue(running, message)
        return {message.ref_hash or message.hash: str(message.WhichOneof("type")) for message in self.sent}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.setattr(
        "streamlit.runtime.scriptrunner_utils.script_run_context.populate_hash_if_needed", lambda message: None
    )
    ThreadState.initialize(active_script_hash="train")
    return Page(monkeypatch)


def test_what_stays_is_referred_to_and_what_comes_back_is_sent(page: Page) -> None:
    assert page.run("style", "chart") == {"style": "delta", "chart": "delta"}
    assert page.run("style", "chart") == {"style": "ref_hash", "chart": "ref_hash"}
    assert page.run("style", "runs") == {"style": "ref_hash", "runs": "delta"}
    assert page.run("style", "chart") == {"style": "ref_hash", "chart": "delta"}, "it may be gone by now"


def test_a_run_of_a_fragment_changes_nothing(page: Page) -> None:
    page.run("style", "feed")
    page.run("feed", "chart", fragment="of a fragment")
    assert page.run("style", "feed", "chart") == {"style": "ref_hash", "feed": "delta", "chart": "delta"}


def test_what_no_browser_keeps_is_always_sent(page: Page) -> None:
    page.run("small")
    assert page.run("small") == {"small": "delta"}


def test_a_message_goes_through_one_recorder_however_many_runs_there_were(page: Page) -> None:
    for _run in range(5):
        assert len(page.run("style")) == 1
    assert page.running._enqueue.send == page.sent.append
