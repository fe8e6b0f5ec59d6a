"""A real Chromium, and the ways in which a person uses the page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, Locator, Page, sync_playwright

SYSTEM_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS: Final = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS: Final = 20_000
NOT_RUNNING: Final = "[data-testid='stApp'][data-test-script-state='notRunning']"
CHART: Final = ".dpdash-plot .main-svg"


@contextmanager
def launched_browser() -> Iterator[Browser]:
    """The system's Chromium, or Playwright's own where there is none."""
    system = next(filter(None, map(shutil.which, SYSTEM_BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=system, args=ARGUMENTS)
        yield browser
        browser.close()


def wait_until_drawn(page: Page) -> None:
    """Wait until the script has run and both charts are there."""
    page.wait_for_selector(NOT_RUNNING, timeout=WAIT_MS)
    page.wait_for_function(
        f"document.querySelectorAll('{CHART}').length >= 2 && !document.querySelector('[data-stale=true]')",
        timeout=WAIT_MS,
    )


def button(page: Page, name: str) -> Locator:
    """A button of the transport bar by its key; a hidden twin of it exists for the other screen width."""
    return page.locator(f".st-key-transport_{name} button:visible")


def wait_for_status(page: Page, text: str, timeout_ms: int = WAIT_MS) -> None:
    page.locator(".dpdash-status", has_text=text).wait_for(timeout=timeout_ms)


def loss_points(page: Page) -> int:
    """How many points the loss curve has in the browser."""
    count: int = page.evaluate(
        """() => { const plot = document.querySelector('.dpdash-plot');
        const trace = (plot?._fullData ?? []).find((trace) => trace.uid === 'loss');
        return trace?.x?.length ?? 0; }"""
    )
    return count


def wait_for_points(page: Page, more_than: int) -> None:
    page.wait_for_function(
        """(least) => { const plot = document.querySelector('.dpdash-plot');
        const trace = (plot?._fullData ?? []).find((trace) => trace.uid === 'loss');
        return (trace?.x?.length ?? 0) > least; }""",
        arg=more_than,
        timeout=WAIT_MS,
    )
