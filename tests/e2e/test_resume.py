"""A run that was stopped goes on, by mouse and by keyboard, on a screen of any width."""

import pytest

from tests.e2e.browser import assert_for_everybody, button, loss_points, wait_for_points, wait_for_status
from tests.e2e.conftest import OpenPage
from tests.e2e.test_train import LONG, epoch_of_status, start


@pytest.mark.long
@pytest.mark.parametrize("width", [1440, 380])
def test_a_stopped_run_goes_on_with_its_whole_curve(open_page: OpenPage, width: int) -> None:
    page = open_page(LONG, viewport={"width": width, "height": 1000})
    start(page)
    wait_for_points(page, more_than=10)
    button(page, "stop").click()
    wait_for_status(page, "stopped at epoch")
    epoch, num_points = epoch_of_status(page), loss_points(page)
    if width < 1000:
        assert_for_everybody(page)
    button(page, "resume").click()
    wait_for_status(page, "running")
    assert button(page, "resume").count() == 0
    wait_for_points(page, more_than=num_points // 2)  # however many epochs, so many points at most
    page.keyboard.press("Control+Shift+X")
    wait_for_status(page, "stopped at epoch")
    assert epoch_of_status(page) > epoch
    page.keyboard.press("Control+Shift+Enter")
    wait_for_status(page, "running")
    button(page, "stop").click()
    wait_for_status(page, "stopped at epoch")
