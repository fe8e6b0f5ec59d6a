"""A lesson for ten real pages beside forty raw watchers: whatever the teacher does reaches each of the ten."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.bench.crowd import CROWDS, ENVIRONMENT, FULL_SPEED_RUNS, quantile, start_run
from tests.bench.crowd import LONG_RUN as WATCHED_RUN
from tests.bench.figure import Figure
from tests.e2e.browser import WAIT_MS, launched_browser, wait_for_status, wait_until_drawn
from tests.e2e.lesson import LONG_RUN, PASSPHRASE, confirm, enter, train_slowly
from tests.e2e.server import Server, running_server
from tests.raw_client import RawPage, new_cookie

NUM_PAGES: Final = 10
RESTING_SECONDS: Final = 1.0
PHONE: Final = {"width": 380, "height": 800}


def wear(folder: Path) -> tuple[Figure, ...]:
    """Give the lesson; a page that a command does not reach ends it."""
    with (
        running_server(folder, {**ENVIRONMENT, "DPDASH_TEACHER_PASSPHRASE": PASSPHRASE}) as server,
        launched_browser() as browser,
        _watchers(server) as waits,
    ):
        pages = [_learner(browser, server) for _page in range(NUM_PAGES)]
        reached = _lesson(_teacher(browser, server), pages)
        tracebacks = server.log.read_text().count("Traceback")
    beside = (
        f"{NUM_PAGES} pages in Chromium beside {CROWDS[-1]} raw watchers and {FULL_SPEED_RUNS} runs at full speed"
    )
    return (
        *(Figure(f"{name} reaches every page", beside, (seconds,), "s") for name, seconds in reached.items()),
        Figure(
            "raw watchers: wait, 95th percentile",
            "the browser on the same cores",
            (1000 * quantile(sorted(waits), 0.95),),
            "ms",
        ),
        Figure("tracebacks in the server's log", beside, (float(tracebacks),), "", "at most", 0),
    )


def _lesson(room: Page, pages: Sequence[Page]) -> dict[str, float]:
    """The seconds from each of the teacher's commands until the last page shows it."""
    for page in pages[: NUM_PAGES // 2]:
        train_slowly(page)
    rows = room.locator(".st-key-room_runs .dpdash-row")
    while rows.count() < FULL_SPEED_RUNS + NUM_PAGES // 2:
        room.wait_for_timeout(100)

    def each(see: Callable[[Page], object]) -> None:
        for page in pages:
            see(page)

    def timed(command: Callable[[], object], see: Callable[[Page], object]) -> float:
        command()
        began = time.monotonic()
        each(see)
        return time.monotonic() - began

    shown = "The teacher shows this run on every page."
    return {
        "spotlight": timed(
            room.get_by_role("button", name="Spotlight", exact=True).first.click,
            lambda page: page.get_by_text(shown).wait_for(timeout=WAIT_MS),
        ),
        "end of the spotlight": timed(
            room.get_by_role("button", name="End the spotlight").click,
            lambda page: page.get_by_text(shown).wait_for(state="hidden", timeout=WAIT_MS),
        ),
        "freeze": timed(
            room.get_by_role("button", name="Freeze new runs").click,
            lambda page: page.get_by_text("The teacher has paused new runs.").wait_for(timeout=WAIT_MS),
        ),
        "stop all": timed(
            lambda: confirm(room, "Stop all", "Stop all runs"),
            lambda page: wait_for_status(page, "by the teacher" if page in pages[: NUM_PAGES // 2] else "ready"),
        ),
        "clear": timed(
            lambda: confirm(room, "Clear", "Clear every page"),
            lambda page: wait_for_status(page, "ready"),
        ),
    }


def _teacher(browser: Browser, server: Server) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 1000}, locale="en-US").new_page()
    page.goto(f"{server.url}/room")
    enter(page, PASSPHRASE)
    page.get_by_text("Pages open").wait_for()
    return page


def _learner(browser: Browser, server: Server) -> Page:
    page = browser.new_context(viewport=PHONE, locale="en-US").new_page()  # type: ignore[arg-type]  # its literals
    page.goto(f"{server.url}/{LONG_RUN}")
    wait_until_drawn(page)
    return page


@contextmanager
def _watchers(server: Server) -> Iterator[list[float]]:
    """Let a crowd watch runs at full speed, in a thread with a loop of its own; the seconds that answers took."""
    waits: list[float] = []
    leave, ready, loop = asyncio.Event(), threading.Event(), asyncio.new_event_loop()

    async def crowd() -> None:
        async with AsyncExitStack() as stack:
            runs = [(await start_run(stack, server, WATCHED_RUN, "Max"))[1] for _run in range(FULL_SPEED_RUNS)]
            following = [_follow(server, runs[number % len(runs)], waits, leave) for number in range(CROWDS[-1])]
            ready.set()
            await asyncio.gather(*following)

    thread = threading.Thread(target=loop.run_until_complete, args=(crowd(),), name="watchers")
    thread.start()
    ready.wait()
    try:
        yield waits
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join()
        loop.close()


async def _follow(server: Server, run: str, waits: list[float], leave: asyncio.Event) -> None:
    """One page that keeps the timer which it has been given, and hears what it has not asked for, too."""
    cookie = await asyncio.to_thread(new_cookie, server.url)
    asked_at: list[float] = []

    async def hear() -> None:
        while True:
            message = await page.receive()
            if message.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY and asked_at:
                waits.append(time.monotonic() - asked_at.pop())

    async with RawPage.opened(server.url, f"run={run}", cookie) as page, asyncio.TaskGroup() as tasks:
        hearing = tasks.create_task(hear())
        await page.send()
        while not leave.is_set():
            await asyncio.sleep(page.timer[1] if page.timer else RESTING_SECONDS)
            if page.timer is not None:
                asked_at[:] = [time.monotonic()]
                await page.send(fragment=page.timer[0], timer=True)
        hearing.cancel()
