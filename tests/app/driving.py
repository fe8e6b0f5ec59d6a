"""The ways in which a person uses a page under AppTest; none of them may end in an exception."""

from collections.abc import Iterable
from typing import Any

from streamlit.testing.v1 import AppTest


def control(widgets: Iterable[Any], name: str) -> Any:
    """The control of an input, which has a new key each time that it is moved by anything but itself."""
    return next(widget for widget in widgets if (widget.key or "").partition("-")[0] == name)


def again(page: AppTest) -> AppTest:
    """Draw a page again, as its timer does, or as the server lets pages do that cannot know of a change."""
    page.run()
    assert not page.exception
    return page


def go(page: AppTest, script: str) -> AppTest:
    """Turn to another page."""
    page.switch_page(script).run()
    assert not page.exception
    return page


def click(page: AppTest, key: str) -> AppTest:
    """Press a button."""
    page.button(key=key).click().run()
    assert not page.exception
    return page
