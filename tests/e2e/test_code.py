"""*Show the code* and the guide, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dpdash.core.config import RunConfig
from dpdash.files.script import ScriptName, script
from tests.e2e.browser import button, wait_for_script, wait_for_status
from tests.e2e.conftest import OpenPage
from tests.e2e.test_accessibility import TALL, findings, violations
from tests.e2e.test_train import MAX_LAYOUT_SHIFT, OBSERVE_SHIFTS, wait_until_at_rest

SETTINGS = {"samples": "730", "epochs": "100000", "engine": "cpu_replicas", "replicas": "3"}
QUERY = "?" + "&".join(f"{name}={value}" for name, value in SETTINGS.items())
CONFIG = RunConfig.parse(SETTINGS)
CODE_BUTTON = ".st-key-code button:visible"
BODY = ".st-key-code_body"
SCRIPT = f"{BODY} [data-testid=stCode]:has(.token)"
CLIPBOARD = ["clipboard-read", "clipboard-write"]


def open_code(page: Page) -> None:
    page.locator(CODE_BUTTON).click()
    page.locator(f"{BODY} [data-testid=stCode]").first.wait_for()


def shown_script(page: Page) -> str:
    text: str = page.locator(f"{SCRIPT}:visible code").inner_text()
    return text.strip()


def downloaded_script(page: Page, name: ScriptName, folder: Path) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {name.file_name}").click()
    assert download.value.suggested_filename == name.file_name
    download.value.save_as(folder / name.file_name)
    return (folder / name.file_name).read_text()


def test_both_scripts_are_shown_copied_and_downloaded(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(QUERY, permissions=CLIPBOARD)
    assert page.locator(BODY).count() == 0
    open_code(page)
    for name, tab in zip(ScriptName, ("DataParallel", "DDP"), strict=True):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("button", name=f"Download {name.file_name}")).to_be_visible()
        source = script(name, CONFIG)
        assert shown_script(page) == source.strip()
        assert downloaded_script(page, name, tmp_path) == source
        page.locator(f"{SCRIPT}:visible").hover(position={"x": 200, "y": 60})
        page.locator(f"{SCRIPT}:visible").get_by_role("button", name="Copy to clipboard").click()
        assert page.evaluate("navigator.clipboard.readText()").strip() == source.strip()


@pytest.mark.long
def test_the_code_stays_open_and_moves_nothing_while_a_run_trains(open_page: OpenPage) -> None:
    page = open_page(QUERY)
    button(page, "start").click()
    wait_for_status(page, "running")
    open_code(page)
    wait_until_at_rest(page)
    # From here on: what opens is laid out by a click, later than half a second after it on a busy machine.
    page.evaluate(OBSERVE_SHIFTS)
    before = page.locator("[data-testid=stProgress]").inner_text()
    wait_for_script(
        page, "(before) => document.querySelector('[data-testid=stProgress]').innerText !== before", before
    )
    expect(page.locator(BODY)).to_be_visible()
    assert page.evaluate("window.shifts.reduce((sum, shift) => sum + shift, 0)") <= MAX_LAYOUT_SHIFT
    page.keyboard.press("Escape")
    button(page, "stop").click()
    wait_for_status(page, "stopped")


def test_the_code_fits_a_phone(open_page: OpenPage) -> None:
    page = open_page(QUERY, viewport={"width": 380, "height": 800}, has_touch=True)
    open_code(page)
    box = page.locator(BODY).bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 380
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 380


def test_the_guide_opens_from_the_page_with_its_figures(open_page: OpenPage) -> None:
    page = open_page(QUERY, locale="pt-BR")
    page.locator("[data-testid=stPageLink] a").click()
    expect(page.locator("h1")).to_have_text("Como funciona o paralelismo de dados")
    images = page.locator("[data-testid=stMain] img")
    expect(images.first).to_be_visible()
    assert images.count() >= 4
    wait_for_script(
        page,
        """[...document.querySelectorAll('[data-testid=stMain] img')]
        .every((image) => image.complete && image.naturalWidth && image.alt)""",
    )
    page.set_viewport_size({"width": 380, "height": 800})
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 380


@pytest.mark.parametrize("theme", [pytest.param("light", marks=pytest.mark.long), "dark"])
def test_axe_finds_nothing_in_the_code_and_in_the_guide(theme: str, open_page: OpenPage) -> None:
    page = open_page(QUERY, color_scheme=theme, viewport=TALL)
    open_code(page)
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.locator("[data-testid=stPageLink] a").click()
    expect(page.locator("h1")).to_have_text("How data parallelism works")
    page.locator("[data-testid=stMain] img").last.wait_for()
    assert findings(page) == []
