"""The Runs page with ten thousand runs: how soon it is there, and what a comparison of ten long ones costs."""

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from playwright.sync_api import Browser, BrowserContext, Page

from dpdash.core.config import RunConfig
from dpdash.core.events import EpochBlock, RunFinished
from dpdash.store.query import RunLabel, Viewer
from dpdash.store.store import RunStore
from tests.bench.figure import Figure
from tests.bench.page import Wire, cpu_seconds
from tests.e2e.browser import NOT_RUNNING, launched_browser, wait_for_script, wait_until_drawn
from tests.e2e.server import LEAN, Server, running_server

VIEWPORT: Final[Any] = {"width": 1440, "height": 1400}
EVERYBODY: Final = Viewer("bench", sees_all=True)
SHORT_EPOCHS: Final = 200
AT_ONCE: Final = 500
SAVED_SECONDS: Final = 120.0
LONGEST_MS: Final = 20_000
PER_SET: Final = 10
PER_SWEEP: Final = 35
TABLE: Final = "[class*='st-key-runs_table_'] .dvn-scroller"
SELECT_ALL: Final[Any] = {"x": 18, "y": 17}
KILO: Final = 1e3

# The first frame after the one that drew, in the page's own clock, whose zero is the navigation.
PROBE: Final = """
window.bench = {};
window.curves = (least) => {
  const plot = document.querySelector('.st-key-dpdash-frame-overlay .dpdash-plot');
  const drawn = (plot?._fullData ?? []).filter((trace) => trace.uid.startsWith('smooth-'));
  return drawn.length >= least && plot.querySelector('.scatterlayer .trace');
};
function when(holds, name) {
  requestAnimationFrame(() => {
    if (!holds()) return when(holds, name);
    requestAnimationFrame(() => (window.bench[name] = performance.now()));
  });
}
const listed = () => document.querySelector(`TABLE`) && document.querySelector('.st-key-runs_stretches');
when(listed, 'listed');
addEventListener('pointerdown', (event) => {
  if (event.target.closest('a[href*="/runs"]')) {
    window.bench.turned = event.timeStamp;
    when(listed, 'opened');
  }
  if (!event.target.closest('[class*=st-key-runs_table_]')) return;
  window.bench.clicked = event.timeStamp;
  when(() => curves(PER_SET), 'compared');
}, true);
""".replace("TABLE", TABLE).replace("PER_SET", str(PER_SET))


@dataclass(frozen=True)
class Size:
    """How many runs there are, how long those are that are compared, and how often each moment is measured."""

    num_runs: int
    long_epochs: int
    visits: int
    sets: int


FULL: Final = Size(num_runs=10_000, long_epochs=100_000, visits=10, sets=5)
QUICK: Final = Size(num_runs=200, long_epochs=5_000, visits=2, sets=1)


def measure(size: Size, folder: Path) -> list[Figure]:
    """Fill a database, and open the page on a warm server."""
    _fill(RunStore(f"sqlite:///{folder / 'runs.db'}"), size)
    with (
        running_server(folder, LEAN) as server,
        launched_browser() as browser,
        closing(_context(browser)) as context,
    ):
        _visit(context, server)  # the server's first visitor, and the browser's first page
        loaded = tuple(_visit(context, server) for _again in range(size.visits))
        opened, opening = zip(*(_turn(context, server) for _again in range(size.visits)), strict=True)
        compared, comparing, kilobytes = zip(
            *(_compare(context, server, number) for number in range(size.sets)), strict=True
        )
    counted = (
        f"{PER_SET} runs of {size.long_epochs:,} epochs, smoothed, none of them read before, {size.sets} times"
    )
    return [
        Figure(
            f"runs: page with {size.num_runs:,} runs opens",
            f"{size.visits} times on a warm server; from the click on its link to the frame after its table",
            opened,
            "s",
            "at most",
            1.0,
        ),
        Figure(
            "runs: the same by its address",
            f"{size.visits} visits with scripts cached; most of it is Streamlit's own page, as in the part *page*",
            loaded,
            "s",
        ),
        Figure(
            "runs: server CPU to open",
            f"CPU time of the server for each of these {size.visits} clicks",
            opening,
            "s",
        ),
        Figure(
            f"runs: {PER_SET} compared",
            f"{counted}; from the click to the frame after",
            compared,
            "s",
            "at most",
            1.5,
        ),
        Figure("runs: server CPU to compare", f"{counted}; CPU time of the server", comparing, "s"),
        Figure(
            f"runs: sent for {PER_SET} compared",
            f"{counted}; bytes over the websocket",
            kilobytes,
            "kB",
            "at most",
            300,
        ),
    ]


def _fill(store: RunStore, size: Size) -> None:
    """Short runs, half of them of sweeps, and of the long ones a set for each comparison, with its own tag."""
    num_long = size.sets * PER_SET
    num_short = size.num_runs - num_long
    for index in (*range(num_short, size.num_runs), *range(num_short)):
        is_long = index >= num_short
        _add(store, index, size.long_epochs if is_long else SHORT_EPOCHS)
        if is_long or index % AT_ONCE == AT_ONCE - 1:
            assert store.flush(SAVED_SECONDS)
        if is_long:
            which = (index - num_short) // PER_SET
            store.run_table.label(_name(index), EVERYBODY, RunLabel(f"run {index}", "", (f"set-{which}",)))
    assert store.close(SAVED_SECONDS)


def _add(store: RunStore, index: int, num_epochs: int) -> None:
    rng = np.random.default_rng(index)
    epochs = np.arange(1, num_epochs + 1)
    losses = (0.25 + 30 * np.exp(-epochs / (num_epochs / 9))) * rng.uniform(0.8, 1.2, num_epochs)
    config = RunConfig(seed=index, learning_rate=(0.001, 0.01, 0.1)[index % 3], epochs=num_epochs)
    sweep, is_trial = divmod(index // PER_SWEEP, 2)
    sweep_id = f"sweep{sweep}" if is_trial and num_epochs == SHORT_EPOCHS else None
    store.create_run(_name(index), config, "bench", created_at=time.time(), sweep_id=sweep_id)
    block = EpochBlock(
        1,
        loss=losses.astype(np.float32),
        slope=(3 - 2 / epochs).astype(np.float32),
        intercept=(1 / epochs).astype(np.float32),
        learning_rate=np.full(num_epochs, config.learning_rate),
        seconds=epochs / 1000,
    )
    store.append(_name(index), block)
    store.append(_name(index), RunFinished(num_epochs, 2.99, 0.01, num_epochs / 1000))


def _name(index: int) -> str:
    return f"bench{index}"


def _context(browser: Browser) -> BrowserContext:
    context = browser.new_context(viewport=VIEWPORT, locale="en-US")
    context.add_init_script(PROBE)
    return context


def _visit(context: BrowserContext, server: Server) -> float:
    """Seconds from the navigation until the table was there."""
    page = context.new_page()
    page.goto(f"{server.url}/runs", wait_until="commit")
    seconds = _moment(page, "listed")
    page.wait_for_selector(NOT_RUNNING)
    page.close()
    return seconds


def _turn(context: BrowserContext, server: Server) -> tuple[float, float]:
    """Seconds from a click on the page's link, on the Train page, until the table was there, and of CPU."""
    page = context.new_page()
    page.goto(server.url)
    wait_until_drawn(page)
    process = psutil.Process(server.process.pid)
    before = cpu_seconds(process)
    page.locator("a[href*='/runs']").first.click()
    seconds = _moment(page, "opened") - _moment(page, "turned")
    _settle(page)
    spent = cpu_seconds(process) - before
    page.close()
    return seconds, spent


def _compare(context: BrowserContext, server: Server, which: int) -> tuple[float, float, float]:
    """Seconds until ten runs that are chosen by one click are compared, of CPU for that, and kilobytes sent."""
    page = context.new_page()
    wire = Wire(page)
    page.goto(f"{server.url}/runs")
    _settle(page)
    _smooth(page)
    _search(page, f"set-{which}", PER_SET)
    process = psutil.Process(server.process.pid)
    before, spent = wire.num_bytes, cpu_seconds(process)
    page.locator(TABLE).first.click(position=SELECT_ALL)
    seconds = _moment(page, "compared") - _moment(page, "clicked")
    _settle(page)
    sent, spent = wire.num_bytes - before, cpu_seconds(process) - spent
    page.close()
    return seconds, spent, sent / KILO


def _smooth(page: Page) -> None:
    """Ask for smoothing, with another run, as there is nothing to smooth before one is chosen."""
    _search(page, "seed=0", 1)
    page.locator(TABLE).first.click(position=SELECT_ALL)
    slider = page.locator(".st-key-runs_smoothing input[type=range]")
    slider.focus()
    page.keyboard.press("End")
    wait_for_script(page, "curves(1)")
    _settle(page)
    none = page.locator(".st-key-runs_none button:visible")
    none.click()
    # The only run that is found stays drawn.
    none.wait_for(state="detached")
    _settle(page)
    page.evaluate("window.bench = {}")


def _search(page: Page, text: str, num_found: int) -> None:
    field = page.locator(".st-key-runs_text input")
    field.fill(text)
    field.press("Enter")
    page.get_by_text(f"1 to {num_found} of {num_found} runs").wait_for()
    _settle(page)


def _settle(page: Page) -> None:
    page.wait_for_selector(NOT_RUNNING)
    wait_for_script(page, "!document.querySelector('[data-stale=true]')")


def _moment(page: Page, name: str) -> float:
    """Seconds of the page's clock at which something was there, once it is."""
    return float(wait_for_script(page, f"window.bench.{name}", timeout_ms=LONGEST_MS)) / 1000
