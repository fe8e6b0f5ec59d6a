"""What a block draws reaches the page at its end, in order, and however the block ends."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from dpdash.web.streamlit_internals.together import together

Page = tuple[list[str], Callable[[str], None]]
"""What has reached it, and how something is drawn on it."""


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    found: list[str] = []
    running = SimpleNamespace(_enqueue=lambda message: found.append(message.hash))
    monkeypatch.setattr("dpdash.web.streamlit_internals.together.get_script_run_ctx", lambda: running)
    return found, lambda name: running._enqueue(ForwardMsg(hash=name))


def test_all_of_it_is_sent_at_the_end_and_what_follows_at_once(page: Page) -> None:
    sent, draw = page
    with together():
        draw("numbers")
        draw("chart")
        assert sent == []
    assert sent == ["numbers", "chart"]
    draw("after")
    assert sent == ["numbers", "chart", "after"]


def test_a_block_that_fails_has_sent_what_it_drew(page: Page) -> None:
    sent, draw = page

    def fail() -> None:
        with together():
            draw("numbers")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    draw("message")
    assert sent == ["numbers", "message"]


def test_without_a_page_there_is_nothing_to_hold_back() -> None:
    with together():
        pass
