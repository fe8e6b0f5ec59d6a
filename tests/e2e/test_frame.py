"""The dashboard in another site's frame: where that is allowed all works in it, and elsewhere nothing is shown."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, ConsoleMessage, FrameLocator, Page, expect

from tests.e2e.browser import WAIT_MS
from tests.e2e.server import Server, free_port, running_server

QUERY: Final = "?samples=200&epochs=400&engine=single&replicas=1"


@contextmanager
def other_site(framed: str, port: int) -> Iterator[str]:
    """A page of `localhost`, another site than 127.0.0.1, with a frame in which it shows an address."""

    class Framing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<iframe src="{framed}" width="1400" height="950"></iframe>'.encode())

        def log_message(self, *_said: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", port), Framing) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{port}/"
        finally:
            serving.shutdown()
            thread.join()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, locale="en-US")
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    context.close()


def test_a_frame_of_a_site_that_was_not_named_stays_empty(server: Server, page: Page) -> None:
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        said.append(message.text)

    page.on("console", hear)
    with other_site(f"{server.url}/{QUERY}", free_port()) as outside:
        page.goto(outside)
        expect(page.frame_locator("iframe").locator("body")).to_be_attached()
        assert page.frames[1].url.startswith("chrome-error:")
    assert any("frame-ancestors 'self'" in text for text in said)


@pytest.mark.long
def test_a_small_host_trains_in_the_frame_of_a_site_that_was_named(page: Page, tmp_path: Path) -> None:
    port = free_port()
    small = {"DPDASH_TRAINING_PROCESSES": "0", "DPDASH_FRAME_ANCESTORS": f"http://localhost:{port}"}
    with running_server(tmp_path, small) as server, other_site(f"{server.url}/{QUERY}", port) as outside:
        page.goto(outside)
        frame = page.frame_locator("iframe")
        frame.locator(".st-key-transport_start button:visible").click()
        frame.locator(".dpdash-status", has_text="finished").wait_for()
        expect(frame.locator(".dpdash-plot .main-svg").first).to_be_visible()
        takes_the_run_away(page, frame)
        # The browser is known by its cookie: after a reload the run is still its own.
        page.reload()
        frame.get_by_role("link", name="Runs", exact=True).click()
        expect(frame.locator("[data-testid='stDataFrame']")).to_be_visible()
        assert "Traceback" not in server.log.read_text()


def takes_the_run_away(page: Page, frame: FrameLocator) -> None:
    frame.get_by_role("radio", name="Table").click()
    with page.expect_download() as waiting:
        frame.get_by_role("link", name="Every epoch (CSV)").click()
    assert len(waiting.value.path().read_text().splitlines()) == 401
