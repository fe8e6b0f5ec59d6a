"""One server and one browser for all of these tests; each test is a person with a browser of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from tests.e2e.browser import WAIT_MS, launched_browser, wait_until_drawn
from tests.e2e.server import LEAN, Server, running_server

OpenPage = Callable[..., Page]
STOP = """() => [...document.querySelectorAll('.st-key-transport_stop button:enabled')].map((stop) => stop.click())
.length"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=WAIT_MS)
    with launched_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server"), LEAN) as server:
        yield server


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[OpenPage]:
    """Opens the app with this query as a new person, in this size, theme and language.

    At the end nothing may have been logged as an error, by the page or by the server, and no request may have
    left this machine.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    log_before = server.log.stat().st_size

    def opened(query: str = "", **options: object) -> Page:
        settings: dict[str, object] = {"viewport": {"width": 1440, "height": 1000}, "locale": "en-US"}
        context = browser.new_context(**{**settings, **options})  # type: ignore[arg-type]  # the caller's options
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        _listen(page, complaints)
        page.goto(f"{server.url}/{query}")
        wait_until_drawn(page)
        return page

    yield opened
    for context in contexts:
        for page in context.pages:
            _stop_what_trains(page)
        context.close()
    assert complaints == []
    with server.log.open("rb") as log:
        log.seek(log_before)
        assert b"Traceback" not in log.read()


def _stop_what_trains(page: Page) -> None:
    """A run of a test that has failed would take the machine from those that follow."""
    # Not with `click`, which waits: a test may have stopped its run just now.
    if not page.is_closed() and page.evaluate(STOP):
        page.wait_for_selector(".st-key-transport_stop button:disabled", state="attached")


def _listen(page: Page, complaints: list[str]) -> None:
    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    def see(request: Request) -> None:
        if _is_foreign(request.url):
            complaints.append(request.url)

    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", hear)
    page.on("request", see)


def _is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))
