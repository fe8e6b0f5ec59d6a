"""Every text that a browser really shows went through gettext: in the pseudo-locale it stands in brackets."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from dpdash.core.translations import PSEUDO
from tests.e2e.browser import NOT_RUNNING, button, open_list, wait_for_script, wait_until_drawn
from tests.e2e.server import LEAN, Server, running_server

WINDOW = {"width": 1440, "height": 2000}
QUERY = "samples=1000&epochs=60&engine=cpu_replicas&replicas=2"
EXEMPT = "script, style, template, canvas, code, kbd, [data-testid=stIconMaterial]"
"""What nobody reads as a text, key names, and commands to be copied."""
NAMES = ("aria-label", "aria-description", "aria-valuetext", "title", "data-title", "placeholder", "alt")
"""Attributes that are read out, or shown beside the pointer."""
STREAMLITS_COUNT = re.compile(r"\d+ options? available\.")
"""Read out a moment after a list has opened, by a library that speaks the language of the browser itself."""
BRACKETED = re.compile(r"⟦[^⟦⟧]*⟧")
WORD = re.compile(r"[^\W\d_]{2,}")
"""Two letters or more: x and y are the problem's own variables, and numbers have no language."""

# A text with markup inside, or on several lines of an SVG, is one text: it is gathered in its nearest block.
COLLECT = """
({exempt, names}) => {
  const texts = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const {data, parentElement} = walker.currentNode;
    if (!data.trim() || parentElement.closest(exempt)) continue;
    if (!parentElement.checkVisibility({visibilityProperty: true})) continue;
    let block = parentElement;
    while (block instanceof SVGTSpanElement || getComputedStyle(block).display.startsWith('inline'))
      block = block.parentElement;
    texts.set(block, (texts.get(block) ?? '') + data);
  }
  const found = [...texts.values()];
  for (const name of names)
    for (const element of document.querySelectorAll(`[${name}]`))
      if (!element.closest(exempt)) found.push(element.getAttribute(name));
  return found.map((text) => text.trim());
}
"""

HOVERABLE = """(node) => node._fullData
  .map((trace, curveNumber) => ({trace, curveNumber}))
  .filter(({trace}) => trace.type.startsWith('scatter') && trace.hoverinfo !== 'skip' && trace.visible === true)
  .filter(({trace}) => trace.x?.length)
  .map(({curveNumber}) => ({curveNumber, pointNumber: 0}))"""
EVERY_PLOT_IS_HOVERABLE = f"""
[...document.querySelectorAll('.dpdash-plot')].every((node) => ({HOVERABLE})(node).length)"""
HOVER = "async (node, point) => (await window.dpdashPlotly).Fx.hover(node, [point])"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that opens every page in the pseudo-locale."""
    with running_server(tmp_path_factory.mktemp("pseudo"), {**LEAN, "DPDASH_LANGUAGE": PSEUDO}) as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=WINDOW)  # type: ignore[arg-type]  # a plain dict is what it takes
    yield context.new_page()
    context.close()


def texts(page: Page) -> list[str]:
    found: list[str] = page.evaluate(COLLECT, {"exempt": EXEMPT, "names": NAMES})
    return found


def without_brackets(text: str) -> str:
    before = None
    while before != text:
        before, text = text, BRACKETED.sub("", text)
    return text


def plain(page: Page) -> set[str]:
    """The texts with words that nobody translated, whoever wrote them."""
    found = (text for text in texts(page) if not STREAMLITS_COUNT.fullmatch(text))
    return {text for text in found if WORD.search(without_brackets(text))}


def open_preview(page: Page, server: Server, query: str = QUERY) -> None:
    page.goto(f"{server.url}/?{query}")
    wait_until_drawn(page)


def test_the_walk_finds_what_a_person_reads(page: Page, server: Server) -> None:
    """The check itself can fail: it sees headings, figures, tooltips, and a text that is put in plainly."""
    open_preview(page, server)
    found = texts(page)
    assert any("⟦Loss per epoch (mean squared error)⟧" in text for text in found)
    assert "⟦Reset axes⟧" in found
    assert "⟦y = 3x + noise, trained in parallel⟧" in found
    page.evaluate("document.querySelector('h1').append(' never translated')")
    assert plain(page) == {"⟦y = 3x + noise, trained in parallel⟧ never translated"}


@pytest.mark.parametrize("path", ["parallelism", "scaling", "sweep", "runs", "nowhere"])
@pytest.mark.parametrize("width", [1440, 800])
def test_each_page_is_translated_whoever_writes_on_it(page: Page, server: Server, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 2000})
    page.goto(f"{server.url}/{path}?{QUERY}")
    page.wait_for_selector(NOT_RUNNING)
    page.locator(".dpdash-title, h1").first.wait_for()
    wait_for_script(page, "!document.querySelector('[data-stale=true], .dpdash-plot:not(:has(.main-svg))')")
    assert plain(page) == set()


def test_the_preview_is_translated(page: Page, server: Server) -> None:
    open_preview(page, server, QUERY + "&hidden_depth=1&global_batch_size=100&optimizer=sgd_momentum")
    assert plain(page) == set()
    own_data, more = page.locator("[data-testid=stSidebar] [data-testid=stExpander] summary").all()
    more.click()
    page.locator(".st-key-hidden_width").wait_for()
    own_data.click()
    page.locator("[data-testid=stSidebar] .dpdash-file input:enabled").wait_for(state="attached")
    open_list(page, "optimizer")
    assert plain(page) == set()


def test_a_run_is_translated(page: Page, server: Server) -> None:
    open_preview(page, server)
    paces = page.locator(".st-key-pace [role=radio]")
    paces.first.click()
    button(page, "start").click()
    page.locator(".dpdash-running").wait_for()
    assert plain(page) == set()
    button(page, "pause").click()
    page.locator(".dpdash-paused").wait_for()
    page.locator(".st-key-noise input").press("ArrowRight")
    page.locator(".st-key-noise", has_text="⟦for the next run⟧").wait_for()
    assert plain(page) == set()
    paces.last.click()
    button(page, "pause").click()
    page.locator(".dpdash-finished").wait_for()
    for view in page.locator(".st-key-view [role=radio]").all():
        view.click()
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        assert plain(page) == set()


@pytest.mark.long
def test_what_appears_beside_the_pointer_is_translated(page: Page, server: Server) -> None:
    open_preview(page, server)
    page.locator(".st-key-pace [role=radio]").last.click()
    button(page, "start").click()
    page.locator(".dpdash-finished").wait_for()
    for plot in page.locator(".dpdash-plot").all():
        wait_for_script(page, EVERY_PLOT_IS_HOVERABLE)
        hovered = plot.evaluate(HOVERABLE)
        for point in hovered:
            plot.evaluate(HOVER, point)
            plot.locator(".hoverlayer .hovertext").first.wait_for()
            assert plain(page) == set()
    button(page, "step").hover()
    page.get_by_role("tooltip").wait_for()
    assert plain(page) == set()
    for opens in page.locator(".st-key-header [data-testid=stPopover] button:visible").all():
        opens.click()
        page.locator("[data-testid=stCode]:visible").first.wait_for()
        assert plain(page) == set()
        page.keyboard.press("Escape")


def test_sentences_about_problems_are_translated(page: Page, server: Server) -> None:
    junk = "&".join(f"p{number}=1" for number in range(9))
    open_preview(page, server, f"samples=1e12&learning_rate=nan&epochs=1&epochs=2&run=nothing&{junk}")
    page.locator("[data-testid=stAlert]").first.wait_for()
    assert plain(page) == set()


def test_what_streamlit_itself_writes_is_translated(page: Page, server: Server) -> None:
    """Its menu and its page menu, a field that waits for Enter, a list of many."""
    open_preview(page, server)
    page.get_by_test_id("stMainMenuButton").click()
    page.get_by_test_id("stMainMenuList").wait_for()
    assert page.get_by_text("⟦Made with Streamlit v⟧").is_visible()
    assert plain(page) == set()
    page.keyboard.press("Escape")
    seed = page.locator("[class*=st-key-seed] input")
    seed.fill("7")
    page.get_by_test_id("InputInstructions").get_by_text("⟦Press Enter to apply⟧").wait_for()
    assert plain(page) == set()
    page.get_by_test_id("stTopNavLink").filter(has_text="⟦Sweep⟧").click()
    page.locator(".st-key-sweep_what [role=radio]").last.click()
    page.locator("[class*=st-key-sweep_settings] [role=combobox]").click()
    page.get_by_role("option").first.wait_for()
    assert plain(page) == set()


@pytest.mark.long
def test_the_runs_are_translated(page: Page, server: Server) -> None:
    """One run, with usual settings: a longer name is cut in the legend, its bracket with it."""
    open_preview(page, server, "engine=single&replicas=1")
    page.locator(".st-key-pace [role=radio]").last.click()
    button(page, "start").click()
    page.locator(".dpdash-finished").wait_for()
    page.locator("a[href*='/runs']").first.click()
    table = page.locator("[class*='st-key-runs_table_'] .dvn-scroller")
    table.click(position={"x": 18, "y": 52})  # the box of the newest run
    page.locator(".st-key-dpdash-frame-overlay .main-svg").first.wait_for()
    wait_for_script(page, "!document.querySelector('[data-stale=true]')")
    assert plain(page) == set()
