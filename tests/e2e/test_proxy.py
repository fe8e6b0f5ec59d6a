"""Behind a proxy with TLS and a path of its own, told (`server.baseUrlPath`) or not, everything is as without."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from dpdash.web.tickets import OWNER_COOKIE
from tests.e2e.browser import (
    WAIT_MS,
    address,
    button,
    wait_for_address,
    wait_for_points,
    wait_for_status,
    wait_until_drawn,
)
from tests.e2e.proxy import proxied
from tests.e2e.server import BASE_PATH, LEAN, running_server

PATH: Final = "/lab/dpdash"
PASSPHRASE: Final = "correct horse"
TOLD: Final = {BASE_PATH: PATH, "DPDASH_TEACHER_PASSPHRASE": PASSPHRASE} | LEAN
UNTOLD: Final = {"DPDASH_TEACHER_PASSPHRASE": PASSPHRASE} | LEAN
QUERY: Final = "?samples=200&epochs=400&engine=single&replicas=1"


pytestmark = pytest.mark.long


@pytest.fixture(params=[pytest.param(False, id="passes the path on"), pytest.param(True, id="strips it")])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with (
        running_server(tmp_path, UNTOLD if request.param else TOLD) as server,
        proxied(server.url, tmp_path, PATH, strips=request.param) as url,
    ):
        yield url
        assert "Traceback" not in server.log.read_text()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 1440, "height": 1000}, ignore_https_errors=True, locale="en-US"
    )
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    wrong: list[str] = []

    def judge(response: Response) -> None:
        url = urlsplit(response.url)
        if response.status >= 400 or (url.scheme == "https" and not url.path.startswith(f"{PATH}/")):
            wrong.append(f"{response.status} {response.url}")

    page.on("response", judge)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert wrong == []


def test_everything_works_below_the_path(lab: str, page: Page, tmp_path: Path) -> None:
    page.goto(f"{lab}/{QUERY}")
    wait_until_drawn(page)
    assert "<figure" in page.request.get(f"{lab}/{QUERY}").text()
    (cookie,) = (cookie for cookie in page.context.cookies() if cookie["name"] == OWNER_COOKIE)
    assert cookie["secure"]
    button(page, "start").click()
    wait_for_status(page, "finished")
    wait_for_points(page, 100)
    run = address(page).partition("run=")[2]

    page.get_by_role("button", name="Share").click()
    link = f"{lab}/?run={run}"
    expect(page.locator(".dpdash-copy").first).to_have_attribute("data-text", link)
    expect(page.get_by_alt_text(f"QR code of {link}")).to_be_visible()
    page.keyboard.press("Escape")

    page.get_by_role("radio", name="Table").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="To import elsewhere (JSON)").click()
    waiting.value.save_as(tmp_path / "run.jsonl")
    page.locator("input[type=file]:enabled").set_input_files(tmp_path / "run.jsonl")
    expect(page.get_by_text("This run was imported from a file.")).to_be_visible()

    page.get_by_role("link", name="Runs", exact=True).click()
    wait_for_address(page, f"{PATH}/runs\\?")
    page.get_by_role("heading", name="Runs").wait_for()
    page.go_back()
    wait_for_address(page, f"{PATH}/\\?")
    wait_until_drawn(page)

    page.goto(f"{lab}/runs{QUERY}")
    page.get_by_role("heading", name="Runs").wait_for()
    page.goto(link)
    wait_until_drawn(page)
    wait_for_points(page, 100)

    page.goto(f"{lab}/room")
    page.get_by_role("textbox", name="passphrase").fill(PASSPHRASE)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Freeze new runs").wait_for()
