"""The page in a real browser: how soon it is there, how soon a run shows, and what a refresh costs."""

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, WebSocket
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.bench.figure import Figure
from tests.e2e.browser import button, wait_for_script, wait_for_status, wait_until_drawn
from tests.e2e.server import Server, running_server

VIEWPORT: Final[Any] = {"width": 1440, "height": 1000}
LONGEST_MS: Final = 60_000
CURVE_RUN: Final = "?samples=1000&epochs=4000&engine=single&replicas=1"
"""At its usual pace it lasts eight seconds, and its curve soon has as many points as a curve can have."""
SETTLE_MS: Final = 1500
WATCH_MS: Final = 5000
RUN_MS: Final = 9000

WHEN: Final = """
window.bench = {};
function when(holds, name) {
  requestAnimationFrame(() => {
    if (!holds()) return when(holds, name);
    requestAnimationFrame(() => (window.bench[name] = performance.now()));
  });
}
"""
"""A moment is the first frame after the one that drew, in the page's own clock, whose zero is the navigation."""
PROBE: Final = f"""{WHEN}
const plots = () => [...document.querySelectorAll('.st-key-dpdash-frame-training .dpdash-plot')];
const points = () =>
  plots()[0]?._fullData?.find((trace) => trace.uid === 'loss')?.x?.length ?? 0;
const drawn = () => plots().length === 2 && plots().every((plot) => plot.querySelector('.scatterlayer .trace'));
when(drawn, 'painted');
addEventListener('click', (event) => {{
  if (!event.target.closest('.st-key-transport_start')) return;
  window.bench.clicked = event.timeStamp;
  const before = points();
  when(() => points() > before, 'pointed');
}}, true);
"""


@dataclass(frozen=True)
class Size:
    """How often each moment is measured."""

    visits: int
    pairs: int


FULL: Final = Size(visits=10, pairs=5)
QUICK: Final = Size(visits=2, pairs=1)


def measure(size: Size, folder: Path, browser: Browser) -> list[Figure]:
    """The figures of a page that stays open."""
    with running_server(folder) as server:
        with closing(_context(browser)) as context:
            _visit(context, server)  # the server's first visitor, and the browser's first page
        cold, clicks = zip(*(_first_visit(browser, server) for _visit in range(size.visits)), strict=True)
        warm = _later_visits(browser, server, size.visits)
        refreshes = [_refresh_cost(browser, server) for _pair in range(size.pairs)]
    return _figures(size, cold, warm, clicks, refreshes)


def _figures(
    size: Size,
    cold: tuple[float, ...],
    warm: tuple[float, ...],
    clicks: tuple[float, ...],
    refreshes: list[tuple[float, float]],
) -> list[Figure]:
    watched = f"a run at its usual pace, watched for {WATCH_MS / 1000:g} s, {size.pairs} times"
    return [
        Figure(
            "page: first paint with charts",
            f"{size.visits} fresh profiles, nothing cached; from the navigation to the frame after both charts",
            cold,
            "s",
            "at most",
            1.5,
        ),
        Figure(
            "page: first paint, scripts cached",
            f"the same in one profile that has been here before, {size.visits} visits",
            warm,
            "s",
            "at most",
            1.5,
        ),
        Figure(
            "page: Start to the first new point",
            f"{size.visits} fresh profiles, default settings and pace; from the click to the frame after "
            "the curve's first point",
            clicks,
            "s",
            "at most",
            0.7,
        ),
        Figure("page: sent per refresh", f"bytes over the websocket, {watched}", _column(refreshes, 0), "kB"),
        Figure(
            "page: server CPU per refresh",
            f"CPU time of the server, {watched}, less that of the same run unwatched, in turns",
            _column(refreshes, 1),
            "ms",
        ),
    ]


def _column(rows: list[tuple[float, float]], index: int) -> tuple[float, ...]:
    return tuple(row[index] for row in rows)


def _context(browser: Browser) -> BrowserContext:
    context = browser.new_context(viewport=VIEWPORT, locale="en-US")
    context.add_init_script(PROBE)
    return context


def _visit(context: BrowserContext, server: Server) -> tuple[Page, float]:
    """Open the page; seconds until both charts were painted."""
    page = context.new_page()
    page.goto(server.url, wait_until="commit")
    seconds = moment(page, "painted")
    wait_until_drawn(page)
    return page, seconds


def _first_visit(browser: Browser, server: Server) -> tuple[float, float]:
    """Seconds until the charts were there and, after a click on Start, until the first point was."""
    with closing(_context(browser)) as context:
        page, painted = _visit(context, server)
        button(page, "start").click()
        pointed = moment(page, "pointed") - moment(page, "clicked")
        button(page, "stop").click()
        wait_for_status(page, "stopped")
        return painted, pointed


def _later_visits(browser: Browser, server: Server, visits: int) -> tuple[float, ...]:
    with closing(_context(browser)) as context:
        _visit(context, server)[0].close()
        seconds = []
        for _again in range(visits):
            page, painted = _visit(context, server)
            page.close()
            seconds.append(painted)
    return tuple(seconds)


def moment(page: Page, name: str) -> float:
    """Seconds of the page's clock at which something was there, once it is."""
    return float(wait_for_script(page, f"window.bench.{name}", timeout_ms=LONGEST_MS)) / 1000


class Wire:
    """Counts what a page receives over its websocket."""

    def __init__(self, page: Page) -> None:
        self.num_bytes = 0
        self.num_refreshes = 0
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._count)

    def _count(self, payload: str | bytes) -> None:
        if isinstance(payload, str):
            return
        self.num_bytes += len(payload)
        message = ForwardMsg()
        message.ParseFromString(payload)
        if message.WhichOneof("type") == "script_finished":
            self.num_refreshes += 1


def _refresh_cost(browser: Browser, server: Server) -> tuple[float, float]:
    """Kilobytes sent and milliseconds of server CPU for one refresh."""
    watched_cpu, num_bytes, num_refreshes = _run(browser, server, watched=True)
    unwatched_cpu, _bytes, _refreshes = _run(browser, server, watched=False)
    assert num_refreshes
    return num_bytes / 1e3 / num_refreshes, 1e3 * (watched_cpu - unwatched_cpu) / num_refreshes


def _run(browser: Browser, server: Server, watched: bool) -> tuple[float, int, int]:
    """CPU seconds of the server over a stretch of a run, and what was sent meanwhile, in how many refreshes."""
    process = psutil.Process(server.process.pid)
    with closing(_context(browser)) as context:
        page = context.new_page()
        wire = Wire(page)
        page.goto(server.url + "/" + CURVE_RUN)
        wait_until_drawn(page)
        button(page, "start").click()
        moment(page, "pointed")
        began = time.monotonic()
        if not watched:
            page.goto("about:blank")
        page.wait_for_timeout(SETTLE_MS)
        before, num_bytes, num_refreshes = cpu_seconds(process), wire.num_bytes, wire.num_refreshes
        page.wait_for_timeout(WATCH_MS)
        spent = cpu_seconds(process) - before, wire.num_bytes - num_bytes, wire.num_refreshes - num_refreshes
        # The next run begins when this one is over.
        page.wait_for_timeout(max(0.0, RUN_MS - 1000 * (time.monotonic() - began)))
        return spent


def cpu_seconds(process: psutil.Process) -> float:
    """What a process has computed so far, its children not counted."""
    times = process.cpu_times()
    return float(times.user + times.system)
