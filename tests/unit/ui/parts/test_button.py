"""When a click on a button gives its command."""

from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st

from dpdash.ui.parts.button import button


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(st, "button", lambda label, **options: found.append({"label": label, **options}))
    return found


@pytest.fixture
def click(shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Send a click on the button, by itself or along with a refresh."""

    def send(with_refresh: bool) -> None:
        monkeypatch.setattr("dpdash.ui.parts.button.is_refresh", lambda: with_refresh)
        shown[-1]["on_click"]()

    return send


def test_a_click_that_came_with_a_refresh_is_waited_for(click: Callable[[bool], None]) -> None:
    given: list[str] = []
    button("Pause", "pause", "pause", lambda: given.append("pause"))
    click(True)
    assert given == []
    click(False)
    assert given == ["pause"]


def test_in_the_part_that_is_refreshed_each_click_is_one(click: Callable[[bool], None]) -> None:
    given: list[str] = []
    button("Spotlight", "spotlight", "visibility", lambda: given.append("spotlight"), is_refreshed=True)
    click(True)
    assert given == ["spotlight"]


@pytest.mark.parametrize("is_refreshed", [False, True])
def test_a_button_that_is_disabled_has_no_command(shown: list[dict[str, Any]], is_refreshed: bool) -> None:
    button("Stop", "stop", "stop", lambda: None, disabled=True, is_refreshed=is_refreshed, help="It ends.")
    expected = {"label": "Stop", "key": "stop", "icon": ":material/stop:", "on_click": None, "disabled": True}
    assert shown == [expected | {"help": "It ends."}]
