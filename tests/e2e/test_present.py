"""Presenter mode in a real browser: all of a page at once, in letters that the last row of a room reads."""

from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import button, wait_for_points, wait_for_script, wait_for_status
from tests.e2e.conftest import OpenPage

SIZES: Final = ((1280, 720), (1366, 768), (1920, 1080))
QUERY: Final = "?samples=1000&epochs=1000000&engine=cpu_replicas&replicas=2"
SENTENCES: Final = ".st-key-advice_body p, .st-key-step_verdict p, .st-key-scaling_verdict p"
SHOWN: Final = {
    "": (SENTENCES, ".st-key-metrics", ".dpdash-status", ".st-key-transport"),
    "parallelism": (SENTENCES, ".dpdash-phases", ".st-key-trace_step"),
    "scaling": (".st-key-scaling_buttons",),
}
BESIDE: Final = ("[data-testid=stSidebar]", "[data-testid=stTopNavLink]")
LEAST_LETTERS: Final = 24
LETTERS_OF_CHARTS: Final = 22


def boxes(page: Page, selector: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        """(selector) => [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility()).map(
        (node) => { const { left, top, right, bottom } = node.getBoundingClientRect();
        return { left, top, right, bottom, letters: parseFloat(getComputedStyle(node).fontSize) }; })""",
        selector,
    )
    return found


def assert_all_on_one_screen(page: Page, path: str, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    wait_for_script(
        page,
        """(width) => { const plots = [...document.querySelectorAll('.dpdash-plot')].filter(
        (plot) => plot.checkVisibility());
        return plots.length === 2 && plots.every((plot) => plot._fullLayout?.width === plot.clientWidth)
        && plots.at(-1).getBoundingClientRect().right > width - 60; }""",
        width,
    )
    for selector in (*SHOWN[path], ".dpdash-plot"):
        found = boxes(page, selector)
        assert found, f"{selector} is not seen"
        for box in found:
            assert box["left"] >= 0 and box["top"] >= 0, (selector, box)
            assert box["right"] <= width and box["bottom"] <= height, (selector, box)
    plots = boxes(page, ".dpdash-plot")
    assert len(plots) == 2
    assert sum(plot["bottom"] - plot["top"] for plot in plots) / 2 >= height * 0.45, "the charts fill the screen"
    for selector in BESIDE:
        assert boxes(page, selector) == []
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("main => main.scrollHeight <= main.clientHeight && main.scrollWidth <= main.clientWidth")


def letters_of_charts(page: Page) -> set[float]:
    sizes: list[float] = page.evaluate(
        """() => [...document.querySelectorAll('.dpdash-plot')].filter((plot) => plot.checkVisibility()).flatMap(
        ({ _fullLayout }) => [_fullLayout.title.font.size, _fullLayout.xaxis.tickfont.size,
        _fullLayout.yaxis.tickfont.size])"""
    )
    return set(sizes)


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_a_run_that_trains_is_all_on_one_screen(locale: str, open_page: OpenPage) -> None:
    page = open_page(f"{QUERY}&present=on", locale=locale)
    button(page, "start").click()
    wait_for_points(page, 20)
    for width, height in SIZES:
        assert_all_on_one_screen(page, "", width, height)
        (sentence,) = boxes(page, SENTENCES)
        numbers = boxes(page, "[data-testid=stMetricValue]")
        assert min(box["letters"] for box in [sentence, *numbers]) >= LEAST_LETTERS
        assert letters_of_charts(page) == {LETTERS_OF_CHARTS}
    widths = page.evaluate(
        """() => document.querySelector('.dpdash-plot')._fullData.find(({ uid }) => uid === 'loss').line.width"""
    )
    assert widths == 6
    button(page, "stop").click()


@pytest.mark.parametrize("path", ["parallelism", "scaling"])
def test_another_page_is_all_on_one_screen(path: str, open_page: OpenPage) -> None:
    page = open_page(f"{path}{QUERY}&present=on", locale="pt-BR")
    for width, height in SIZES:
        assert_all_on_one_screen(page, path, width, height)


def test_it_is_entered_and_left_by_button_and_chord(open_page: OpenPage) -> None:
    page = open_page(QUERY)
    sidebar, leave = page.get_by_test_id("stSidebar"), page.locator(".st-key-present_leave")
    button(page, "start").click()
    wait_for_status(page, "running")
    page.locator(".st-key-present_enter button:visible").click()
    expect(sidebar).to_be_hidden()
    wait_for_script(page, "location.search.includes('present=on')")
    page.keyboard.press("Escape")
    expect(sidebar).to_be_visible()
    wait_for_script(page, "!location.search.includes('present=')")
    page.keyboard.press("Control+Shift+F")
    expect(leave).to_be_visible()
    leave.locator("button:visible").click()
    expect(sidebar).to_be_visible()
    expect(leave).to_have_count(0)
    wait_for_status(page, "running")
    button(page, "stop").click()
