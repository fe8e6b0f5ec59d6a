"""What was set stays set: a field that is not confirmed, and a click on anything, on a slow machine."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import NOT_RUNNING, open_list, wait_for_address, wait_for_script, wait_until_drawn
from tests.e2e.conftest import OpenPage

SLOWER = 6
SET = "?samples=2000&noise=0.3&epochs=300&learning_rate=0.05&hidden_width=32&engine=cpu_replicas&replicas=2"
LINKS = "[data-testid=stTopNavLink]"
ADDRESSES = ("parallelism", "scaling", "sweep", "runs", "how_it_works")
FIRST = ".st-key-seed input"
CONTROLS: dict[str, tuple[str, set[str]]] = {
    "the noise": (".st-key-noise input[type=range]", {"noise"}),
    "the samples": (".st-key-samples input[type=range]", {"samples"}),
    "the pace": (".st-key-pace [role=radio] >> nth=0", set()),
    "a view": (".st-key-view [role=radio] >> nth=1", set()),
    "how replicas share": (".st-key-parallel_way [role=radio] >> nth=1", {"engine"}),
    "more settings": ("[data-testid=stExpander] summary >> nth=1", set()),
    "the language": (".st-key-language [role=combobox]", set()),
}
# A page's text field, what is clicked before it is there, and its controls.
TYPED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "runs": (
        ".st-key-runs_text input",
        "[data-testid=stExpander] summary",
        (
            ".st-key-runs_statuses [role=combobox]",
            ".st-key-runs_order [role=combobox]",
            ".st-key-runs_descending label",
            ".st-key-runs_deleted label",
            "[data-testid=stExpander] summary",
        ),
    ),
    "sweep": (
        ".st-key-sweep_values_learning_rate input",
        ".st-key-sweep_what [role=radio]",
        (
            ".st-key-sweep_settings [role=combobox]",
            ".st-key-sweep_method [role=radio] >> nth=1",
            ".st-key-sweep_objective [role=radio] >> nth=1",
            ".st-key-sweep_trials input[type=range]",
            ".st-key-sweep_prunes label",
        ),
    ),
}
LATE_MS = 300
"""A message that is on its way arrives while nothing seems to run."""


def some_are_long(names: Iterable[str], quick: str) -> list[Any]:
    """All of them; a slow machine takes its time, so only one of a kind is tried each time."""
    return [name if name == quick else pytest.param(name, marks=pytest.mark.long) for name in names]


def opened(open_page: OpenPage) -> Page:
    page = open_page(SET, locale="pt-BR")
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    return page


def settings_of(page: Page) -> dict[str, str]:
    query = parse_qs(urlsplit(page.evaluate("location.href")).query)
    return {name: values[-1] for name, values in query.items()}


def wait_until_idle(page: Page) -> None:
    page.wait_for_selector(NOT_RUNNING)
    wait_for_script(page, "!document.querySelector('[data-stale=true]')")


@pytest.mark.parametrize("address", some_are_long(ADDRESSES, "runs"))
def test_a_seed_that_was_typed_and_a_link(address: str, open_page: OpenPage) -> None:
    page = opened(open_page)
    before = settings_of(page)
    for seed in (41, 42):
        page.locator(FIRST).fill(str(seed))
        page.locator(LINKS).nth(1 + ADDRESSES.index(address)).click()
        wait_for_script(page, f"location.pathname === '/{address}'")
        wait_for_address(page, rf"[?&]seed={seed}(&|$)")
        wait_until_idle(page)
        assert settings_of(page) == before | {"seed": str(seed)}
        page.locator(LINKS).first.click()
        wait_for_script(page, "location.pathname === '/'")
        page.locator(FIRST).wait_for()
        wait_until_idle(page)
        assert page.locator(FIRST).input_value() == str(seed)
        assert page.get_by_role("button", name="Iniciar").first.is_visible()


@pytest.mark.long
@pytest.mark.parametrize("control", CONTROLS)
def test_a_seed_that_was_typed_and_a_click_on_a_control(control: str, open_page: OpenPage) -> None:
    page = opened(open_page)
    before = settings_of(page)
    selector, changed = CONTROLS[control]
    for seed in (41, 42):
        page.locator(FIRST).fill(str(seed))
        page.locator(selector).first.click(force=True)
        wait_for_address(page, rf"[?&]seed={seed}(&|$)")
        wait_until_idle(page)
        found = settings_of(page)
        assert {name for name in found if found[name] != before.get(name)} <= {"seed"} | changed
        page.keyboard.press("Escape")
        assert page.get_by_role("button", name="Iniciar").first.is_visible(), "the language is what it was"


@pytest.mark.long
@pytest.mark.parametrize("name", some_are_long(TYPED, "runs"))
def test_words_typed_into_a_page_and_a_click_on_each_of_its_controls(name: str, open_page: OpenPage) -> None:
    page = opened(open_page)
    before = settings_of(page)
    page.locator(LINKS).nth(ADDRESSES.index(name) + 1).click()
    wait_for_script(page, f"location.pathname === '/{name}'")
    wait_until_idle(page)
    field, first, controls = TYPED[name]
    page.locator(first).last.click()
    page.locator(field).wait_for()
    wait_until_idle(page)
    for number, control in enumerate(controls, 1):
        words = f"0.1, 0.{number}"
        page.locator(field).fill(words)
        page.locator(control).first.click(force=True)
        page.wait_for_timeout(LATE_MS)
        wait_until_idle(page)
        page.keyboard.press("Escape")
        assert page.locator(field).input_value() == words, control
        assert settings_of(page) == before, control
    page.locator(LINKS).first.click()
    wait_for_script(page, "location.pathname === '/'")
    wait_until_idle(page)
    page.locator(LINKS).nth(ADDRESSES.index(name) + 1).click()
    page.locator(field).wait_for()
    wait_until_idle(page)
    assert page.locator(field).input_value() == words, "it was sent, and is kept"


@pytest.mark.long
def test_words_typed_into_the_search_of_runs_and_a_link(open_page: OpenPage) -> None:
    page = opened(open_page)
    before = settings_of(page)
    page.locator(LINKS).nth(4).click()
    for words in ("noise<1", "noise<2"):
        page.locator(".st-key-runs_text input").fill(words)
        page.locator(LINKS).nth(2).click()
        wait_for_script(page, "location.pathname === '/scaling'")
        wait_until_idle(page)
        page.locator(LINKS).nth(4).click()
        wait_for_script(page, "location.pathname === '/runs'")
        wait_until_idle(page)
        assert page.locator(".st-key-runs_text input").input_value() == words
    assert settings_of(page) == before


def test_back_goes_to_the_last_page_or_run_and_not_to_the_last_setting(open_page: OpenPage) -> None:
    page = open_page(SET)
    for _time in range(3):
        page.locator(".st-key-noise input[type=range]").press("ArrowRight")
        wait_until_idle(page)
    page.locator(LINKS).nth(4).click()
    wait_for_script(page, "location.pathname === '/runs'")
    wait_until_idle(page)
    noise = settings_of(page)["noise"]
    page.go_back()
    wait_for_script(page, "location.pathname === '/'")
    wait_until_idle(page)
    assert settings_of(page)["noise"] == noise != "0.3"


def test_a_language_that_is_chosen_reaches_what_streamlit_wrote_before(open_page: OpenPage) -> None:
    page = open_page(SET, locale="pt-BR")
    skip, menu = page.get_by_text("Ir para o conteúdo"), page.get_by_test_id("stMainMenuButton")
    expect(skip).to_have_count(1)
    open_list(page, "language")
    page.get_by_role("option", name="English").click()
    expect(page.get_by_text("Skip to main content")).to_have_count(1)
    expect(menu).to_have_attribute("aria-label", "Main menu")
    expect(page.locator(".st-key-samples [aria-label='Help for Samples']")).to_have_count(1)
    open_list(page, "language")
    page.get_by_role("option", name="Português").click()
    expect(skip).to_have_count(1)
    expect(menu).to_have_attribute("aria-label", "Menu")


def test_a_whole_number_is_read_with_the_signs_between_its_thousands(open_page: OpenPage) -> None:
    page = open_page(SET, locale="pt-BR")
    seed = page.locator(FIRST)
    seed.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("1.234.567")
    page.keyboard.press("Enter")
    wait_for_address(page, "seed=1234567&")
    expect(seed).to_have_value("1234567")


def test_a_batch_for_each_replica_grows_with_them_also_after_a_reload(open_page: OpenPage) -> None:
    page = open_page("?samples=2000&engine=cpu_replicas&replicas=2&global_batch_size=200&replica_batch=100")
    replicas = page.locator("[class*=st-key-replicas] input[type=range]")
    replicas.press("ArrowLeft")
    wait_for_address(page, r"global_batch_size=100\b")
    page.reload()
    wait_until_drawn(page)
    replicas.press("ArrowRight")
    wait_for_address(page, r"global_batch_size=200\b")
    assert settings_of(page)["replica_batch"] == "100"
    page.locator(".st-key-take_rule button:visible").click()
    wait_for_address(page, r"learning_rate=0\.02\b")
