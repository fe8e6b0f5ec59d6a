"""For those who use a keyboard, a screen reader, or need contrast or rest."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Locator, Page, expect

from tests.e2e.browser import button, wait_for_script, wait_for_status, wait_until_drawn
from tests.e2e.conftest import OpenPage

SHORT = "?samples=1000&epochs=60&engine=cpu_replicas&replicas=2"
LONG = "?samples=1000&epochs=100000&engine=single&replicas=1"
TALL = {"width": 1440, "height": 1800}
"""Everything is on the screen: axe measures only what is."""
MOST_TABS = 80
AXE_OPTIONS = {"resultTypes": ["violations"]}


def violations(page: Page) -> list[str]:
    """What axe finds on a page with charts."""
    page.mouse.move(0, 0)
    wait_until_drawn(page)  # what is about to be replaced is faded
    return findings(page)


def findings(page: Page) -> list[str]:
    """What axe finds to be serious or critical, with the element and the reason."""
    # A tooltip on its way out has any contrast.
    wait_for_script(page, "!document.querySelector('[role=tooltip], [data-testid=stTooltipContent]')")
    found = Axe().run(page, options=AXE_OPTIONS).response["violations"]
    return [
        f"{rule['id']}: {node['html']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def train(page: Page) -> None:
    page.get_by_role("radio", name="Max").click()
    button(page, "start").click()
    wait_for_status(page, "finished")


@pytest.mark.parametrize("theme", [pytest.param("light", marks=pytest.mark.long), "dark"])
def test_axe_finds_nothing(theme: str, open_page: OpenPage) -> None:
    page = open_page(SHORT, color_scheme=theme, viewport=TALL)
    page.get_by_text("More", exact=True).click()
    page.locator(".st-key-hidden_depth").wait_for()
    assert violations(page) == []
    train(page)
    assert violations(page) == []
    page.set_viewport_size({"width": 380, "height": 2400})
    page.get_by_role("radio", name="Table").click()
    page.locator("[data-testid=stDataFrame]").wait_for()
    page.get_by_role("button", name="Share").click()
    page.get_by_text("Train without a browser").wait_for()
    assert violations(page) == []


@pytest.mark.parametrize("theme", [pytest.param("light", marks=pytest.mark.long), "dark"])
def test_axe_finds_nothing_in_what_is_said(theme: str, open_page: OpenPage) -> None:
    page = open_page("?samples=1e12&run=nothing", color_scheme=theme, viewport=TALL)
    page.get_by_text("There is no run nothing here").wait_for()
    assert violations(page) == []


def tab_to(page: Page, goal: Locator) -> None:
    """Press Tab until the element, or something in it, has the focus."""
    for _tab in range(MOST_TABS):
        page.keyboard.press("Tab")
        if goal.evaluate("(element) => element.contains(document.activeElement)"):
            return
    raise AssertionError(f"Tab does not reach {goal}")


def test_a_run_with_the_keyboard_alone(open_page: OpenPage) -> None:
    page = open_page(LONG)
    samples = page.locator(".st-key-samples")
    tab_to(page, samples.locator("input"))
    page.keyboard.press("ArrowRight")
    expect(samples).to_contain_text("2,000")
    tab_to(page, page.locator(".st-key-language [role=combobox]"))
    tab_to(page, button(page, "start"))
    page.keyboard.press("Enter")
    wait_for_status(page, "running")
    tab_to(page, button(page, "stop"))
    page.keyboard.press("Enter")
    wait_for_status(page, "stopped")
    look_back = page.locator(".st-key-look_back_slider")
    tab_to(page, look_back.locator("input"))
    page.keyboard.press("Home")
    expect(look_back).to_contain_text("epoch 1")


def test_what_has_the_focus_shows_it(open_page: OpenPage) -> None:
    page = open_page(SHORT)
    look = "(element) => JSON.stringify([getComputedStyle(element).boxShadow, getComputedStyle(element).outline])"
    for goal in (button(page, "start"), button(page, "step")):
        before = goal.evaluate(look)
        tab_to(page, goal)
        wait_for_script(page, f"(before) => ({look})(document.activeElement) !== before", arg=before)


def test_status_is_announced(open_page: OpenPage) -> None:
    """A screen reader speaks when the content of a live region changes that was there before."""
    page = open_page(SHORT)
    region = page.locator("[aria-live=polite]:has(.dpdash-status)")
    expect(region).to_have_text("ready")
    region.evaluate("(element) => (element.marked = true)")
    page.get_by_role("radio", name="Slow motion").click()
    button(page, "start").click()
    expect(region).to_have_text("running")
    page.get_by_role("radio", name="Max").click()
    expect(region).to_have_text("finished")
    assert region.evaluate("(element) => element.marked")


def test_charts_are_described(open_page: OpenPage) -> None:
    page = open_page(SHORT)
    figures = page.get_by_role("figure")
    expect(figures).to_have_count(3)
    for figure in figures.all():
        expect(figure).to_have_attribute("aria-label", re.compile(r"^[A-Z].+\. .+\.$"))


@pytest.mark.long
def test_motion_is_reduced_where_the_system_asks_for_it(open_page: OpenPage) -> None:
    page = open_page(SHORT, reduced_motion="reduce")
    train(page)
    longest = page.evaluate(
        """() => Math.max(...[...document.querySelectorAll('*')].flatMap((element) => {
            const {transitionDuration, animationDuration} = getComputedStyle(element);
            return `${transitionDuration},${animationDuration}`.split(',').map(parseFloat); }))"""
    )
    assert longest <= 0.00001
