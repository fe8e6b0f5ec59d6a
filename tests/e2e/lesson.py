"""The ways in which a teacher and a learner use their pages."""

from typing import Final, Literal

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as LateError

from tests.e2e.browser import button, wait_for_status

PASSPHRASE: Final = "correct horse"
LONG_RUN: Final = "?samples=1000&epochs=100000&engine=single&replicas=1"
AGAIN_MS: Final = 10_000


def enter(page: Page, passphrase: str) -> None:
    """Type a passphrase at the door of the Room."""
    page.get_by_label("The teacher's passphrase", exact=True).fill(passphrase)
    page.get_by_role("button", name="Open the room").click()


def confirm(page: Page, name: str, answer: str) -> None:
    """Press what asks before it does anything, and confirm it."""
    confirmed = page.get_by_role("button", name=answer)
    press_until(page.get_by_role("button", name=name, exact=True), confirmed, "visible")
    press_until(confirmed, confirmed, "hidden")


def press_until(pressed: Locator, shown: Locator, state: Literal["hidden", "visible"]) -> None:
    """Press a button until something is there, or is gone."""
    pressed.click()
    try:
        shown.wait_for(state=state, timeout=AGAIN_MS)
    except LateError:
        # Streamlit may lose a click that meets the page's own message by milliseconds: one presses again.
        pressed.click()
        shown.wait_for(state=state)


def train_slowly(page: Page) -> None:
    """Start a run that lasts."""
    page.get_by_role("radio", name="Slow motion").click()
    button(page, "start").click()
    wait_for_status(page, "running")
