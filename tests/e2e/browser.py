"""A real Chromium, and the ways in which a person uses the page."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from playwright.sync_api import TimeoutError as LateError

SYSTEM_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
PLAYWRIGHTS_OFF: Final = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
)
"""What Playwright switches off: of two lists, Chromium takes the last."""
ADDRESS_BAR: Final = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
"""Two more pages for each window, which cost half a second of a core and which nobody sees."""
ARGUMENTS: Final = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join((*PLAYWRIGHTS_OFF, *ADDRESS_BAR))}",
]
WAIT_MS: Final = 45_000
POLL_MS: Final = 30
LIST_MS: Final = 2_000
FADE_SECONDS: Final = 5.0
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
    wait_for_script(
        page,
        f"document.querySelectorAll('{CHART}').length >= 2 && !document.querySelector('[data-stale=true]')",
    )


def wait_for_script(page: Page, expression: str, arg: object = None, timeout_ms: float = WAIT_MS) -> Any:
    """Wait until an expression is true in the page, and return its value.

    Playwright's own way turns text into code inside the page, which the page's Content-Security-Policy forbids.
    """
    deadline = time.monotonic() + timeout_ms / 1000
    while not (value := page.evaluate(expression, arg)):
        assert time.monotonic() < deadline, f"this never came true: {expression}"
        page.wait_for_timeout(POLL_MS)
    return value


def address(page: Page) -> str:
    """Where the page is: `page.url` lags behind what a script has put there."""
    return str(page.evaluate("location.href"))


def wait_for_address(page: Page, pattern: str) -> None:
    """Wait until the address is like that."""
    wait_for_script(page, "(pattern) => new RegExp(pattern).test(location.href)", pattern)


def assert_for_everybody(page: Page) -> None:
    """Axe finds nothing, and nothing scrolls sideways, in each size and theme."""
    for width, theme in ((1440, "light"), (1440, "dark"), (380, "dark"), (380, "light")):
        page.set_viewport_size({"width": width, "height": 1800})
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # one of its literals
        page.wait_for_selector(NOT_RUNNING)
        wait_for_script(page, "!document.querySelector('[data-stale=true], [data-testid=stTooltipContent]')")
        for selector in ("html", "[data-testid=stMain]"):
            wait_for_script(page, f"document.querySelector('{selector}').scrollWidth <= {width}")
        assert_no_violation(page)


def assert_no_violation(page: Page) -> None:
    """Axe finds nothing serious, once what fades in or out has done so."""
    deadline = time.monotonic() + FADE_SECONDS
    while found := _violations(page):
        assert time.monotonic() < deadline, found
        page.wait_for_timeout(POLL_MS)


def _violations(page: Page) -> list[Any]:
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [rule["nodes"] for rule in found if rule["impact"] in ("serious", "critical")]


def button(page: Page, name: str) -> Locator:
    """A button of the transport bar by its key; a hidden twin of it exists for the other screen width."""
    return page.locator(f".st-key-transport_{name} button:visible")


def open_list(page: Page, key: str) -> None:
    """Open a list of choices, by the keyboard and until it is open: a page that draws itself anew closes it."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not page.get_by_role("option").first.is_visible():
        assert time.monotonic() < deadline, f"the list {key} does not open"
        page.locator(f".st-key-{key} [role=combobox]").press("ArrowDown")
        with suppress(LateError):
            page.get_by_role("option").first.wait_for(timeout=LIST_MS)


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
    wait_for_script(
        page,
        """(least) => { const plot = document.querySelector('.dpdash-plot');
        const trace = (plot?._fullData ?? []).find((trace) => trace.uid === 'loss');
        return (trace?.x?.length ?? 0) > least; }""",
        arg=more_than,
    )
