"""A part that is drawn again: what it draws, and when the whole page is run instead."""

from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st

from dpdash.ui.parts.refreshing import refreshing


class RunAgainError(Exception):
    """The whole page is run again."""


@pytest.fixture
def fragments(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Callable[[], None], float | None]]:
    """Each part that refreshes, and how often it does."""
    found: list[tuple[Callable[[], None], float | None]] = []

    def fragment(part: Callable[[], None], *, run_every: float | None) -> Callable[[], None]:
        found.append((part, run_every))
        return part

    def rerun() -> None:
        raise RunAgainError

    monkeypatch.setattr(st, "fragment", fragment)
    monkeypatch.setattr(st, "rerun", rerun)
    return found


def test_each_look_is_drawn_until_the_rest_of_the_page_is_no_longer_true(fragments: list[Any]) -> None:
    epochs, shown = iter([1, 2, 30]), list[int]()
    refreshing(lambda: next(epochs), shown.append, lambda epoch: epoch < 10, True, every=2.5)
    [(refresh, every)] = fragments
    assert every == 2.5
    assert shown == [1]
    refresh()
    assert shown == [1, 2]
    with pytest.raises(RunAgainError):
        refresh()
    assert shown == [1, 2]


def test_what_has_changed_since_the_page_was_drawn_is_seen_at_once(fragments: list[Any]) -> None:
    with pytest.raises(RunAgainError):
        refreshing(lambda: "ended", lambda _status: None, lambda status: status, "running", every=None)
    assert fragments[0][1] is None


def test_two_pages_have_parts_of_different_names(fragments: list[Any]) -> None:
    """By name and place Streamlit knows them: the timer of a page that was left would draw into another one."""

    def of_one_page(seen: int) -> int:
        return seen

    def of_another(seen: int) -> int:
        return seen

    for fingerprint in (of_one_page, of_another):
        refreshing(lambda: 1, lambda _seen: None, fingerprint, 1, every=None)
    one, another = ((part.__module__, part.__qualname__) for part, _ in fragments)
    assert one != another
