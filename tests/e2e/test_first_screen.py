"""What a person came for stands on the first screen while a run trains, at every size and in both languages."""

from typing import Any

import pytest
from playwright.sync_api import Page

from dpdash.core.translations import LANGUAGES
from tests.e2e.browser import button, wait_for_points
from tests.e2e.conftest import OpenPage

SIZES = (
    (380, 800),
    (800, 380),
    (1280, 720),
    pytest.param(1366, 768, marks=pytest.mark.long),
    pytest.param(1920, 1080, marks=pytest.mark.long),
)
WORDIEST = "pt_BR"
"""Its texts are the longest: what they leave room for, the others do."""
LONG = "?samples=2000&epochs=100000&engine=cpu_replicas&replicas=2"
MOST_NOT_DATA = 0.35
PARTS = {
    "charts": ".st-key-dpdash-frame-training .dpdash-plot",
    "status": ".dpdash-status",
    "sentence": ".st-key-advice_body [data-testid=stMarkdownContainer]",
    "steering": ".st-key-transport button",
}
# The boxes of what is seen, the share of each chart that is data, and texts that do not fit into their boxes.
MEASURE = """(parts) => {
  const shown = (node) => node.checkVisibility() && node.getClientRects().length;
  const box = (node) => node.getBoundingClientRect().toJSON();
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);
  const boxes = {};
  for (const [name, selector] of Object.entries(parts)) boxes[name] = all(selector).map(box);
  const area = ({ width, height }) => width * height;
  const data = all(parts.charts).map((plot) => area(box(plot.querySelector('.nsewdrag'))) / area(box(plot)));
  const texts = all('.st-key-train :is(h1, p, button, .dpdash-status, [data-testid=stMetricValue])');
  const cut = texts.filter((node) => node.clientWidth > 1 && node.scrollWidth > node.clientWidth + 1);
  return { boxes, data, cut: cut.map((node) => node.textContent) };
}"""


def measured(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(MEASURE, PARTS)
    return found


@pytest.mark.parametrize(
    "language", [pytest.param(code, marks=[] if code == WORDIEST else pytest.mark.long) for code in LANGUAGES]
)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_run_is_seen_without_scrolling(width: int, height: int, language: str, open_page: OpenPage) -> None:
    is_phone = min(width, height) < 500
    page = open_page(
        LONG,
        viewport={"width": width, "height": height},
        locale=language.replace("_", "-"),
        has_touch=is_phone,
        color_scheme="dark" if is_phone else "light",
    )
    button(page, "start").click()
    try:
        wait_for_points(page, 3)
        found = measured(page)
    finally:
        button(page, "stop").click()
    assert [len(found["boxes"][name]) for name in ("charts", "status")] == [2, 1]
    assert len(found["boxes"]["steering"]) >= 4
    for name, boxes in found["boxes"].items():
        for box in boxes:
            assert box["left"] >= 0 and box["top"] >= 0, name
            assert box["right"] <= width and box["bottom"] <= height, (name, box)
    assert len({round(box["top"]) for box in found["boxes"]["steering"]}) == 1, "the buttons stand in one row"
    assert min(found["data"]) >= 1 - MOST_NOT_DATA
    assert found["cut"] == []
