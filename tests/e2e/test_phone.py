"""Every page on a phone: nothing is cut, nothing moves sideways, and titles take a line."""

from typing import Final

import pytest

from tests.e2e.browser import NOT_RUNNING, button
from tests.e2e.conftest import OpenPage
from tests.e2e.server import Server

PHONE: Final = {"width": 380, "height": 800}
DIVERGING: Final = "?samples=500&epochs=300&learning_rate=2&optimizer=sgd"
PAGES: Final = ("runs", "parallelism", "scaling", "sweep", "how_it_works")
CUT: Final = """() => {
  const main = document.querySelector('[data-testid=stMain]');
  const seen = (selector) => [...main.querySelectorAll(selector)].filter((node) => node.checkVisibility());
  const labels = seen('button p, [data-testid=stButtonGroup] button, td, th, .dpdash-title');
  const outside = (node) => node.getBoundingClientRect().right > innerWidth + 1 && !node.closest('table');
  const title = main.querySelector('.dpdash-title');
  return [
    ...(main.scrollWidth > main.clientWidth ? ['the page moves sideways'] : []),
    ...labels.filter((node) => node.scrollWidth > node.clientWidth + 1 || outside(node))
      .map((node) => node.textContent),
    ...(title.textContent.length < 32 && title.clientHeight > 50 ? [title.textContent] : []),
  ];
}"""


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_nothing_is_cut(locale: str, open_page: OpenPage, server: Server) -> None:
    page = open_page(viewport=PHONE, locale=locale, has_touch=True, is_mobile=True)
    for name in PAGES:
        page.goto(f"{server.url}/{name}")
        page.wait_for_selector(NOT_RUNNING)
        page.locator(".dpdash-title").wait_for()
        assert page.evaluate(CUT) == [], name


def test_a_long_status_pushes_nothing_out(open_page: OpenPage) -> None:
    page = open_page(DIVERGING, viewport=PHONE, locale="pt-BR", has_touch=True, is_mobile=True)
    button(page, "start").click()
    page.locator(".dpdash-diverged").wait_for()
    page.wait_for_selector(NOT_RUNNING)
    for part in page.locator(".st-key-header :is(button, .dpdash-status, h1):visible").all():
        box = part.bounding_box()
        assert box is not None and box["x"] + box["width"] <= PHONE["width"]
