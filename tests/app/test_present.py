"""Presenter mode without a browser: where it is offered, and that the link says what the page does."""

import pytest

from dpdash.ui.session.inputs import PRESENT
from tests.app.conftest import OpenPage, given
from tests.app.driving import again, click, go

TRAIN, PARALLELISM, SCALING, RUNS = (f"../pages/{name}.py" for name in ("train", "parallelism", "scaling", "runs"))


@pytest.mark.parametrize("path", [TRAIN, PARALLELISM, SCALING])
def test_a_page_is_shown_to_a_room_and_comes_back(path: str, open_page: OpenPage) -> None:
    page = go(open_page(), path)
    assert "present" not in page.query_params
    click(page, "present")
    again(page)
    assert page.button(key="present").label == "Leave the presentation"
    assert page.query_params["present"] == "on"
    click(page, "present")
    again(page)
    assert page.button(key="present").label == "Present"
    assert "present" not in page.query_params


def test_a_link_opens_a_page_that_is_presented_and_keeps_it_on_the_next(open_page: OpenPage) -> None:
    page = open_page(present="on")
    assert page.button(key="present").label == "Leave the presentation"
    assert not page.warning
    go(page, PARALLELISM)
    assert page.button(key="present").label == "Leave the presentation"
    assert given(page, PRESENT.name) is True
    assert page.query_params["present"] == "on"


def test_a_page_without_the_mode_has_no_button_for_it(open_page: OpenPage) -> None:
    page = go(open_page(present="on"), RUNS)
    assert "present" not in [button.key for button in page.button]
