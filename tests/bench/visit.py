"""A first visit: beside a plain Streamlit page, over a room's slow network, and forty at once."""

import asyncio
import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psutil
from playwright.sync_api import Browser, BrowserContext

from tests.bench.figure import Figure, pairwise
from tests.bench.page import WHEN, cpu_seconds, moment
from tests.e2e.server import Server, running_server, start_server, stop_server
from tests.raw_client import RawPage, new_cookie

PLAIN_PAGE: Final = Path(__file__).with_name("plain_page.py")
PHONE: Final[Any] = {
    "viewport": {"width": 380, "height": 800},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
    "locale": "pt-BR",
}
SCREEN: Final[Any] = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US"}
ROOM: Final = {"offline": False, "latency": 40, "downloadThroughput": 2e6 / 8, "uploadThroughput": 2e6 / 8}
"""2 Mbit/s: what each of forty phones has of one access point."""
PHONES: Final = 40
QUIET_MS: Final = 2_000
"""What a page has not asked for by then, a visit does not need."""

PROBE: Final = f"""{WHEN}
const plots = () => [...document.querySelectorAll('.dpdash-plot, .js-plotly-plot')];
const drawn = () => plots().filter((plot) => plot.querySelector('.scatterlayer .trace')).length >= 2;
when(() => document.querySelector('#dpdash-poster, .dpdash-title'), 'true');
when(drawn, 'painted');
"""


@dataclass(frozen=True)
class Size:
    """How often each visit is made."""

    pairs: int
    visits: int


FULL: Final = Size(pairs=10, visits=5)
QUICK: Final = Size(pairs=1, visits=1)


@dataclass(frozen=True)
class Visit:
    """What one visit of a phone took."""

    first_true: float
    """Seconds until title, data and the untrained line were seen."""
    charts: float
    """Seconds until both charts were."""
    num_bytes: int
    """All that the network carried but for the websocket."""
    addresses: tuple[str, ...]


def measure(size: Size, folder: Path, browser: Browser) -> Iterator[Figure]:
    """The figures of first visits."""
    with running_server(folder) as server:
        yield _beside_plain(size, folder, browser, server)
        visits = [_visits(browser, server, ROOM) for _each in range(size.visits)]
        firsts, seconds = zip(*visits, strict=True)
        yield from _over_the_room(firsts, seconds)
        yield _forty(size, server, firsts[0].addresses)


def _beside_plain(size: Size, folder: Path, browser: Browser, server: Server) -> Figure:
    own = folder / "plain"
    own.mkdir()
    plain = start_server(own, app=PLAIN_PAGE)
    try:
        for each in (server, plain):
            _painted(browser, each)  # the server's first visitor
        pairs = [(_painted(browser, server), _painted(browser, plain)) for _pair in range(size.pairs)]
    finally:
        stop_server(plain)
    ours, plains = zip(*pairs, strict=True)
    return Figure(
        "page: first paint, of a plain Streamlit page's",
        f"{size.pairs} pairs of fresh profiles in turns, on the loopback; the other page has two charts and a "
        "slider (`tests/bench/plain_page.py`); from the navigation to the frame after both charts",
        pairwise(ours, plains),
        "×",
        "at most",
        1.0,
    )


def _over_the_room(firsts: tuple[Visit, ...], seconds: tuple[Visit, ...]) -> Iterator[Figure]:
    counted = f"a phone (380 × 800) at 2 Mbit/s and 40 ms, {len(firsts)} fresh profiles"
    yield Figure("room: bytes of a first visit", counted, _of("num_bytes", firsts, 1e-6), "MB", "at most", 1.5)
    yield Figure("room: bytes of the second", f"{counted}, opened again", _of("num_bytes", seconds, 1e-3), "kB")
    yield Figure(
        "room: something true",
        f"{counted}; title, data and the untrained line",
        _of("first_true", firsts),
        "s",
        "at most",
        1.5,
    )
    yield Figure("room: both charts", counted, _of("charts", firsts), "s", "at most", 8.0)


def _of(name: str, visits: tuple[Visit, ...], factor: float = 1.0) -> tuple[float, ...]:
    return tuple(factor * getattr(visit, name) for visit in visits)


def _painted(browser: Browser, server: Server) -> float:
    with _opened(browser, SCREEN) as context:
        page = context.new_page()
        page.goto(server.url, wait_until="commit")
        return moment(page, "painted")


def _visits(browser: Browser, server: Server, network: dict[str, Any]) -> tuple[Visit, Visit]:
    """A phone's first visit and its second."""
    with _opened(browser, PHONE) as context:
        return _visit(context, server, network), _visit(context, server, network)


def _visit(context: BrowserContext, server: Server, network: dict[str, Any]) -> Visit:
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.emulateNetworkConditions", network)
    num_bytes: list[float] = []
    addresses: list[str] = []
    wire.on("Network.requestWillBeSent", lambda event: addresses.append(event["request"]["url"]))
    wire.on("Network.loadingFinished", lambda event: num_bytes.append(event["encodedDataLength"]))
    page.goto(server.url, wait_until="commit")
    charts, first_true = moment(page, "painted"), moment(page, "true")
    page.wait_for_timeout(QUIET_MS)
    page.close()
    ours = tuple(dict.fromkeys(address for address in addresses if address.startswith(server.url)))
    return Visit(first_true, charts, int(sum(num_bytes)), ours)


def _forty(size: Size, server: Server, addresses: tuple[str, ...]) -> Figure:
    process = psutil.Process(server.process.pid)
    spent = []
    # In a thread of its own: Playwright's loop runs in this one.
    with ThreadPoolExecutor(1) as thread:
        for _each in range(size.visits):
            before = cpu_seconds(process)
            thread.submit(asyncio.run, _crowd(server, addresses)).result()
            spent.append(cpu_seconds(process) - before)
    return Figure(
        "room: server CPU of forty first visits",
        f"CPU time of the server, {size.visits} times; each of the forty fetches all {len(addresses)} files of a "
        "phone's first visit with `Accept-Encoding: gzip`, and its page over the websocket",
        tuple(spent),
        "s",
        "at most",
        2.0,
    )


async def _crowd(server: Server, addresses: tuple[str, ...]) -> None:
    paths = [split._replace(scheme="", netloc="").geturl() for split in map(urlsplit, addresses)]
    with ThreadPoolExecutor(PHONES) as threads:
        fetch = partial(asyncio.get_running_loop().run_in_executor, threads, _fetch, server.url, paths)
        await asyncio.gather(*(fetch() for _phone in range(PHONES)))
    await asyncio.gather(*(_join(server) for _phone in range(PHONES)))


def _fetch(url: str, paths: list[str]) -> None:
    with closing(http.client.HTTPConnection(urlsplit(url).netloc)) as connection:
        for path in paths:
            connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status < 400, f"{path}: {answer.status}"


async def _join(server: Server) -> None:
    cookie = await asyncio.to_thread(new_cookie, server.url)
    async with RawPage.opened(server.url, "", cookie) as page:
        await page.run()


@contextmanager
def _opened(browser: Browser, screen: dict[str, Any]) -> Iterator[BrowserContext]:
    with closing(browser.new_context(**screen)) as context:
        context.add_init_script(PROBE)
        yield context
