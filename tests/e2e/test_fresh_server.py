"""The first request of all, the end of a server, and what is left of its runs."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from dpdash.web.tickets import OWNER_COOKIE
from tests.e2e.browser import (
    address,
    button,
    loss_points,
    wait_for_address,
    wait_for_points,
    wait_for_status,
    wait_until_drawn,
)
from tests.e2e.server import LEAN, Server, running_server, start_server, stop_server
from tests.fakes import eventually

LONG = "samples=1000&epochs=100000&engine=single&replicas=1"
"""A run that lasts longer than its test, unless that stops it."""
POINTS = 3


@contextmanager
def person(browser: Browser) -> Iterator[Page]:
    """A page in a browser of its own."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, locale="en-US")
    yield context.new_page()
    context.close()


def test_a_deep_link_is_the_very_first_request(browser: Browser, tmp_path: Path) -> None:
    with running_server(tmp_path, LEAN) as server, person(browser) as page:
        response = page.goto(f"{server.url}/train?samples=1234&noise=2.0&epochs=77")
        assert response is not None
        cookie = owner_cookie(response.header_values("set-cookie"))
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert len(cookie.value) >= 32

        wait_until_drawn(page)
        expect(page.locator("h1")).to_have_text("y = 3x + noise, trained in parallel")
        expect(page).to_have_title(re.compile("dpdash|Train"))
        assert page.locator("[data-testid=stSidebarNav]").count() == 0  # Streamlit's own list of pages/
        expect(page.locator(".st-key-samples")).to_contain_text("1,234")
        for setting in ("samples=1234", "noise=2.0", "epochs=77"):
            wait_for_address(page, rf"[?&]{setting}(&|$)")
        assert OWNER_COOKIE not in page.evaluate("document.cookie")


@pytest.mark.long
def test_another_browser_is_another_owner(browser: Browser, server: Server) -> None:
    with person(browser) as mine, person(browser) as theirs:
        mine.goto(f"{server.url}/?{LONG}")
        wait_until_drawn(mine)
        start_slowly(mine)
        theirs.goto(mine.url)
        wait_until_drawn(theirs)
        wait_for_status(theirs, "running")
        expect(button(theirs, "stop")).to_be_disabled()
        expect(button(theirs, "pause")).to_be_disabled()
        secrets = [
            next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == OWNER_COOKIE)
            for page in (mine, theirs)
        ]
        assert secrets[0] != secrets[1]
        button(mine, "stop").click()
        wait_for_status(theirs, "stopped")


@pytest.mark.long
def test_the_next_server_shows_what_the_last_one_trained(browser: Browser, tmp_path: Path) -> None:
    first = start_server(tmp_path)
    try:
        with person(browser) as page:
            page.goto(f"{first.url}/?{LONG}")
            wait_until_drawn(page)
            start_slowly(page)
            seen, query = loss_points(page), urlsplit(address(page)).query
            wait_until_saved(first, parse_qs(query)["run"][0], seen)
            first.process.kill()
            first.process.wait()
    finally:
        stop_server(first)

    with running_server(tmp_path) as second, person(browser) as page:
        page.goto(f"{second.url}/?{query}")
        wait_until_drawn(page)
        expect(page.locator(".dpdash-status")).to_have_text("interrupted")
        wait_for_points(page, seen - 1)


def owner_cookie(headers: list[str]) -> "Morsel[str]":
    """The owner's cookie in an answer, which may set others too."""
    found: SimpleCookie = SimpleCookie()
    for header in headers:
        found.load(header)
    morsel: Morsel[str] = found[OWNER_COOKIE]
    return morsel


def start_slowly(page: Page) -> None:
    page.get_by_role("radio", name="Slow motion").click()
    button(page, "start").click()
    wait_for_status(page, "running")
    wait_for_points(page, POINTS)


def wait_until_saved(server: Server, run_id: str, num_epochs: int) -> None:
    """Wait until the server has stored so many epochs of a run: what a kill loses is younger."""
    with closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as connection:
        saved = "SELECT coalesce(sum(num_epochs), 0) FROM blocks WHERE run_id = ?"
        eventually(lambda: connection.execute(saved, (run_id,)).fetchone()[0] >= num_epochs)
