"""Reading a link into the session of a page, and writing it back."""

from contextlib import suppress
from itertools import count
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest
import streamlit

from dpdash.core.limits import Limits
from dpdash.ui.session import links
from dpdash.ui.session.links import query_of
from dpdash.ui.session.state import PROBLEMS_KEY
from dpdash.web.links import parse_query

ANYTHING = Limits(runs_per_browser=8, samples=10_000_000, epochs=1_000_000)


class CutShort(BaseException):
    """The page's next message has come."""


class Session(dict[str, Any]):
    """A session in which the page's next message cuts the script short at one of its accesses."""

    def __init__(self, accesses_left: int) -> None:
        super().__init__()
        self.accesses_left = accesses_left

    def _access(self) -> None:
        self.accesses_left -= 1
        if self.accesses_left == -1:
            raise CutShort

    def __contains__(self, name: object) -> bool:
        self._access()
        return super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        self._access()
        return super().__getitem__(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._access()
        super().__setitem__(name, value)

    def get(self, name: str, default: Any = None) -> Any:
        self._access()
        return super().get(name, default)


class Address(dict[str, str]):
    """A page's query."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]]

    def to_dict(self) -> dict[str, str]:
        return dict(self)

    def from_dict(self, query: dict[str, str]) -> None:
        self.clear()
        self.update(query)


def draw() -> None:
    """What the page's script does with a link."""
    links.read_link()
    links.write_link()


def draw_again_if_cut_short(session: Session) -> bool:
    """Draw the page; whether it was cut short, and so drawn a second time."""
    with suppress(CutShort):
        draw()
    was_cut = session.accesses_left < 0
    session.accesses_left = -1
    if was_cut:
        draw()
    return was_cut


def test_a_link_is_read_whole_wherever_the_next_message_cuts_its_reading_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    query = "samples=1000&epochs=30&optimizer=sgd&run=abc&smaples=5"
    expected = parse_query(parse_qs(query), ANYTHING)
    said = [str(problem) for problem in expected.problems]
    monkeypatch.setattr(links, "run_service", lambda: SimpleNamespace(limits=ANYTHING))
    for cut_at in count():
        session, page = Session(cut_at), Address(parse_qsl(query))
        monkeypatch.setattr(streamlit, "session_state", session)
        monkeypatch.setattr(streamlit, "query_params", page)
        was_cut = draw_again_if_cut_short(session)
        assert page == query_of(expected.config, "abc"), cut_at
        assert [str(problem) for problem in session[PROBLEMS_KEY]] == said, cut_at
        if not was_cut:
            break
    assert cut_at > 4, "each of what is kept may be where it is cut"
