"""The dashboard with its runs in PostgreSQL, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.browser import NOT_RUNNING, address, button, wait_for_status
from tests.e2e.conftest import OpenPage
from tests.e2e.server import LEAN, Server, running_server
from tests.postgresql import Postgresql


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, postgresql: Postgresql) -> Iterator[Server]:
    settings = LEAN | {"DPDASH_DATABASE_URL": postgresql.new_database()}
    with running_server(tmp_path_factory.mktemp("postgresql"), settings) as server:
        yield server


def test_a_run_is_trained_and_found_again(open_page: OpenPage) -> None:
    page = open_page("?samples=500&epochs=300&engine=single&replicas=1")
    page.get_by_role("radio", name="Max").click()
    button(page, "start").click()
    wait_for_status(page, "finished")
    shown = address(page)
    page.locator("a[href*='/runs']").first.click()
    expect(page.locator(".st-key-runs_stretches")).to_contain_text("1 to 1 of 1 runs")
    search = page.locator(".st-key-runs_text input")
    search.fill("samples>500")
    search.press("Enter")
    page.get_by_text("No run is like that.").wait_for()
    page.goto(shown)
    wait_for_status(page, "finished")
    page.wait_for_selector(NOT_RUNNING)
    expect(page.locator(".st-key-look_back_slider")).to_contain_text("epoch 300")
