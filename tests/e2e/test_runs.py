"""The Runs page in a real browser: find, name, delete, compare, open, repeat and branch."""

import re
import time

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from dpdash.core.config import RunConfig
from dpdash.core.events import EpochBlock, RunFinished, RunStarted
from dpdash.store.query import RunLabel, Viewer
from dpdash.store.store import RunStore
from tests.e2e.browser import (
    NOT_RUNNING,
    address,
    assert_for_everybody,
    wait_for_script,
    wait_for_status,
    wait_until_drawn,
)
from tests.e2e.conftest import OpenPage
from tests.e2e.server import Server

EVERYBODY = Viewer("a test", sees_all=True)
ROW = 35
MARKER = 18
LONG = 30.0
TRACES = """() => [...document.querySelectorAll('.st-key-dpdash-frame-overlay .dpdash-plot')]
  .flatMap((plot) => plot._fullData ?? []).map((trace) => trace.uid)"""
X_RANGE = "() => document.querySelector('.st-key-dpdash-frame-overlay .dpdash-plot')._fullLayout.xaxis.range"


def stored(server: Server, *labels: tuple[str, str, RunConfig], num_epochs: int = 60) -> list[str]:
    """Runs that are over, each with a name and a tag; their ids."""
    store = RunStore(f"sqlite:///{server.database}")
    ids = []
    for index, (name, tag, config) in enumerate(labels):
        run_id = f"{tag}{time.monotonic_ns()}"
        store.create_run(run_id, config, "the command line", created_at=time.time())
        epochs = np.arange(1, num_epochs + 1)
        losses = 0.25 + 30 * np.exp(-epochs / (10.0 + 10 * index))
        store.append(run_id, RunStarted(1.0, ("cpu",), (config.samples,), False, None))
        store.append(
            run_id,
            EpochBlock(
                1,
                loss=losses.astype(np.float32),
                slope=(3 - 2 / epochs).astype(np.float32),
                intercept=(1 / epochs).astype(np.float32),
                learning_rate=np.full(num_epochs, config.learning_rate),
                seconds=epochs / 1000,
            ),
        )
        store.append(run_id, RunFinished(num_epochs, 2.99, 0.01, num_epochs / 1000))
        assert store.flush(LONG)
        store.run_table.label(run_id, EVERYBODY, RunLabel(name, "", (tag,)))
        ids.append(run_id)
    assert store.close()
    return ids


def turn(page: Page) -> None:
    """Turn to the page, whatever it is called in the reader's language."""
    page.locator("a[href*='/runs']").first.click()


def settle(page: Page) -> None:
    page.wait_for_selector(NOT_RUNNING)
    wait_for_script(page, "!document.querySelector('[data-stale=true]')")


def opened(open_page: OpenPage, **options: object) -> Page:
    """The page, as a person comes to it."""
    page = open_page(**options)
    turn(page)
    key(page, "text").wait_for()
    settle(page)
    return page


def key(page: Page, name: str) -> Locator:
    return page.locator(f".st-key-runs_{name}")


def press(page: Page, name: str) -> None:
    page.locator(f".st-key-runs_{name} button:visible").click()
    settle(page)


def search(page: Page, text: str, found: int) -> None:
    """Search, until so many runs are found: a click before that would meet a table that is about to go."""
    field = key(page, "text").locator("input")
    field.fill(text)
    field.press("Enter")
    expect(key(page, "stretches")).to_have_text(re.compile(rf" (of|de) {found} "))
    settle(page)


def grid(page: Page) -> Locator:
    return page.locator("[class*='st-key-runs_table_'] .dvn-scroller").first


def select(page: Page, *rows: int, already: int = 0) -> None:
    """Select rows by their boxes, none of which is selected yet, where as many others are as `already` says."""
    for num_chosen, row in enumerate(rows, already + 1):
        grid(page).click(position={"x": MARKER, "y": ROW * (row + 1) + ROW / 2})
        expect(key(page, "actions")).to_contain_text(f": {num_chosen}")
        settle(page)


def test_find_name_and_tag(open_page: OpenPage, server: Server) -> None:
    stored(server, ("first try", "find", RunConfig()), ("second try", "find", RunConfig(noise=2)))
    page = opened(open_page)
    search(page, "find", 2)
    search(page, "find noise>1", 1)
    select(page, 0)
    name = page.locator("[class*='st-key-runs_name_'] input")
    expect(name).to_have_value("second try")
    name.fill("the loud one")
    page.locator("[class*='st-key-runs_tags_'] input").fill("find, loud")
    page.locator("[class*='st-key-runs_note_'] textarea").fill("more noise")
    press(page, "save")
    search(page, "loud one more", 1)
    expect(key(page, "actions")).to_contain_text("Chosen: 1")


def test_delete_and_undo(open_page: OpenPage, server: Server) -> None:
    stored(server, ("a", "gone", RunConfig()), ("b", "gone", RunConfig()))
    page = opened(open_page)
    search(page, "gone", 2)
    select(page, 0)
    press(page, "delete")
    expect(key(page, "gone")).to_contain_text("Runs deleted: 1.")
    expect(key(page, "stretches")).to_contain_text("1 to 1 of 1 runs")
    page.get_by_role("button", name="Undo").click()
    expect(key(page, "stretches")).to_contain_text("1 to 2 of 2 runs")


def test_two_runs_beside_a_baseline(open_page: OpenPage, server: Server) -> None:
    stored(
        server,
        ("slow one", "compare", RunConfig(learning_rate=0.001)),
        ("fast one", "compare", RunConfig(learning_rate=0.1)),
        num_epochs=3000,
    )
    page = opened(open_page)
    search(page, "compare", 2)
    select(page, 0, 1)
    wait_for_script(page, f"({TRACES})().filter((uid) => uid.startsWith('raw-')).length === 2")
    expect(page.get_by_text("Settings that differ")).to_be_visible()
    expect(page.get_by_text(re.compile(r"thinned: \d+ of 3000 epochs drawn")).last).to_be_visible()
    zoom = "() => document.querySelector('.st-key-dpdash-frame-overlay .dpdash-plot')"
    page.evaluate(f"async () => (await window.dpdashPlotly).relayout(({zoom})(), {{'xaxis.range': [100, 400]}})")
    slider = key(page, "smoothing").locator("input[type=range]")
    slider.focus()
    page.keyboard.press("End")
    wait_for_script(page, f"({TRACES})().filter((uid) => uid.startsWith('smooth-')).length === 2")
    assert page.evaluate(X_RANGE) == [100, 400], "smoothing leaves the zoom alone"
    page.locator(".st-key-runs_baseline [role=combobox]").press("ArrowDown")
    page.get_by_role("option", name=re.compile("slow one")).click()
    settle(page)
    names = (
        "() => document.querySelector('.st-key-dpdash-frame-overlay .dpdash-plot')._fullData.map((t) => t.name)"
    )
    wait_for_script(page, f"({names})().some((name) => name.includes('(baseline)'))")
    page.get_by_role("radio", name="Samples seen").click()
    settle(page)
    wait_for_script(page, f"({X_RANGE})()[1] > 1e6")


@pytest.mark.long
def test_open_repeat_and_branch(open_page: OpenPage, server: Server) -> None:
    config = RunConfig(samples=500, epochs=60, learning_rate=0.05, seed=5)
    (run_id,) = stored(server, ("to be opened", "open", config))
    page = opened(open_page)
    search(page, "open", 1)
    select(page, 0)
    press(page, "open")
    wait_for_status(page, "finished")
    wait_until_drawn(page)
    assert f"run={run_id}" in address(page) and "learning_rate=0.05" in address(page)
    slider = page.locator(".st-key-look_back_slider input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".st-key-look_back_slider")).to_contain_text("epoch 59")
    turn(page)
    key(page, "actions").wait_for()
    settle(page)
    press(page, "branch")
    wait_for_status(page, "ready")
    assert "run=" not in address(page) and "seed=5" in address(page)
    turn(page)
    key(page, "actions").wait_for()
    settle(page)
    press(page, "repeat")
    # Not the status: on a busy machine the run may be over before it is seen to run.
    page.wait_for_function("old => /run=/.test(location.href) && !location.href.includes(old)", arg=run_id)
    wait_for_status(page, "finished")
    assert "seed=5" in page.evaluate("location.href")
    turn(page)
    key(page, "text").wait_for()
    search(page, "seed=5", 2)


@pytest.mark.long
def test_nothing_is_sent_while_nothing_trains(open_page: OpenPage, server: Server) -> None:
    stored(server, ("still", "still", RunConfig()))
    page = open_page()
    frames: list[str] = []
    other = page.context.new_page()
    other.on("websocket", lambda socket: socket.on("framereceived", lambda _data: frames.append("frame")))
    other.goto(f"{server.url}/runs")
    key(other, "stretches").wait_for()
    search(other, "still", 1)
    other.wait_for_timeout(1_000)
    so_far = len(frames)
    other.wait_for_timeout(3_000)
    assert len(frames) == so_far


@pytest.mark.parametrize("locale", [pytest.param("en-US", marks=pytest.mark.long), "pt-BR"])
def test_the_page_is_for_everybody(locale: str, open_page: OpenPage, server: Server) -> None:
    tag = f"all{locale[:2]}"
    stored(
        server,
        ("a run with a long name that somebody has given it", tag, RunConfig()),
        ("another", tag, RunConfig(noise=2, engine="cpu_replicas", replicas=2)),
    )
    page = opened(open_page, locale=locale)
    search(page, tag, 2)
    select(page, 0)
    assert_for_everybody(page)
    page.set_viewport_size({"width": 1440, "height": 1800})
    settle(page)
    select(page, 1, already=1)
    wait_for_script(page, f"({TRACES})().filter((uid) => uid.startsWith('raw-')).length === 2")
    press(page, "delete")
    assert_for_everybody(page)
    press(page, "undo")
