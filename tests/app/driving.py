"""The ways in which a person uses a page under AppTest; none of them may end in an exception."""

from streamlit.testing.v1 import AppTest


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
