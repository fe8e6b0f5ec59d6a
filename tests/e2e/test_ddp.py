"""DDP in a real browser, with real ranks."""

import pytest

from tests.e2e.browser import button, wait_for_points, wait_for_status
from tests.e2e.conftest import OpenPage

START_MS = 90_000


@pytest.mark.long
def test_a_run_of_ddp_starts_its_processes_and_trains_to_its_end(open_page: OpenPage) -> None:
    page = open_page("?engine=ddp&replicas=2&samples=1000&epochs=200")
    button(page, "start").click()
    wait_for_status(page, "starting 2 processes")
    wait_for_status(page, "finished", START_MS)
    wait_for_points(page, more_than=10)
