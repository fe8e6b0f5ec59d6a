"""Messages that no page sends: an attacker's websocket beside that of somebody who trains.

Streamlit itself fails where a value has not the type that its widget sends. That ends in the forger's own session:
its script does not run, the log gets a line, and its next honest message is answered as ever.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from typing import Final

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import DoubleArray, StringArray
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed

from dpdash.core.events import RunStatus
from dpdash.store.store import RunStore
from tests.e2e.server import Server
from tests.fakes import eventually
from tests.hostile.conftest import MAX_SAMPLES
from tests.hostile.page import alerts, failures, feeds, has_title, settings, status
from tests.loops import in_a_loop_of_its_own
from tests.raw_client import ANSWER_SECONDS, RawPage, new_cookie

VICTIMS: Final = "samples=100&epochs=5000&seed=3&learning_rate=0.01"
ATTACKERS: Final = "samples=1000&epochs=30"
COMMANDS: Final = ("pause", "stop", "step", "reset", "start")
WIDGETS: Final = (
    "samples",
    "seed",
    "optimizer",
    "global_batch_size",
    "replicas",
    "language",
    "pace",
    "look_back_slider",
    "transport_start",
)
NUM_AT_ONCE: Final = 4
DEEP_JSON: Final = "[" * 100_000
LONG_TEXT: Final = "🦄" * 50_000


def forged(widget: str) -> Iterator[WidgetState]:
    """A value of every type that there is; a widget can have values of one of them, and hardly these."""
    yield WidgetState(id=widget)
    yield WidgetState(id=widget, trigger_value=True)
    yield WidgetState(id=widget, int_value=2**62)
    yield WidgetState(id=widget, double_value=math.nan)
    yield WidgetState(id=widget, double_array_value=DoubleArray(data=[math.inf]))
    yield WidgetState(id=widget, double_array_value=DoubleArray(data=[1.5, -1e308]))
    yield WidgetState(id=widget, string_value=LONG_TEXT)
    yield WidgetState(id=widget, string_array_value=StringArray(data=[LONG_TEXT]))
    yield WidgetState(id=widget, string_array_value=StringArray(data=[]))
    yield WidgetState(id=widget, json_value='{"a": [1]}')
    yield WidgetState(id=widget, json_value=DEEP_JSON)
    yield WidgetState(id=widget, json_trigger_value='[{"event": "wake", "value": {}}]')
    yield WidgetState(id=widget, json_trigger_value="{")


def beside_a_run(server: Server, attack: Callable[[str], Awaitable[None]]) -> None:
    """Attack, with the id of a run that trains in another browser, and find page and run as they were."""

    async def watch() -> str:
        async with RawPage.opened(server.url, VICTIMS, new_cookie(server.url)) as page:
            await page.run()
            page.set("pace", "Slow motion")
            await page.click("transport_start")
            before = page.query
            run_id = before.partition("run=")[2]
            await until_it_runs(page)
            await attack(run_id)
            messages = await page.run()
            assert status(messages) == "running"
            assert alerts(messages) == failures(messages) == []
            assert page.query == before
            # Slow motion on a busy machine: it may not have trained its first epoch yet.
            with closing(RunStore(f"sqlite:///{server.database}")) as store:
                await asyncio.to_thread(eventually, lambda: store.rows(run_id) is not None)
            await page.click("transport_stop")
            return run_id

    run_id = in_a_loop_of_its_own(watch())
    with closing(RunStore(f"sqlite:///{server.database}")) as store:
        eventually(lambda: (found := store.run(run_id)) and found.status is RunStatus.STOPPED)
        rows = store.rows(run_id)
    assert rows is not None
    assert set(rows.learning_rate) == {0.01}


async def until_it_runs(page: RawPage) -> None:
    async with asyncio.timeout(ANSWER_SECONDS):
        while status(await page.run()) != "running":
            pass


@asynccontextmanager
async def attacker(server: Server, query: str = ATTACKERS) -> AsyncIterator[RawPage]:
    """A page of a browser of its own."""
    async with RawPage.opened(server.url, query, new_cookie(server.url)) as page:
        yield page


def assert_tells_nothing(messages: list[ForwardMsg]) -> None:
    """The page says at most that something went wrong, and nothing of what."""
    for failure in failures(messages):
        assert "Traceback" not in failure
        assert "dpdash" not in failure


def test_forged_values(server: Server) -> None:
    async def forge(widget: str, states: list[WidgetState]) -> None:
        """Send them one after the other, from a new page after each that ended the page before."""
        while states:
            async with attacker(server) as page:
                await page.run()
                while states:
                    messages = await page.run([states.pop()])
                    assert_tells_nothing(messages)
                    if failures(messages):
                        break
                    assert has_title(messages), widget
                    assert settings(page.query).samples <= MAX_SAMPLES, widget

    async def attack(_run_id: str) -> None:
        async with attacker(server) as page:
            charts = [*feeds(await page.run())]
            assert charts
            known = [*charts, *(page.id_of(key) for key in WIDGETS)]

        async def forge_some(some: list[str]) -> None:
            for widget in some:
                await forge(widget, list(forged(widget)))

        await asyncio.gather(*(forge_some(known[first::NUM_AT_ONCE]) for first in range(NUM_AT_ONCE)))

    beside_a_run(server, attack)


def test_a_page_that_says_nothing_of_its_widgets_has_the_settings_of_its_link(server: Server) -> None:
    async def attack(_run_id: str) -> None:
        async with attacker(server, "samples=1000&epochs=30&optimizer=sgd") as page:
            await page.run()
            start = page.id_of("transport_start")
            await silent(page, [])
            messages = await silent(page, [WidgetState(id=start, trigger_value=True)])
            assert failures(messages) == []
            config = settings(page.query)
            assert (config.samples, config.epochs, config.optimizer) == (1000, 30, "sgd")
            assert "run=" in page.query

    beside_a_run(server, attack)


async def silent(page: RawPage, states: list[WidgetState], **others: str) -> list[ForwardMsg]:
    """Ask for a run with just these values, and none of those that the page's other widgets have."""
    message = BackMsg()
    for name, value in {"query_string": page.query, "page_script_hash": page.page_hash, **others}.items():
        setattr(message.rerun_script, name, value)
    message.rerun_script.widget_states.widgets.extend(states)
    await page.socket.send(message.SerializeToString())
    return await page.answer()


def test_what_there_is_not(server: Server) -> None:
    async def attack(_run_id: str) -> None:
        async with attacker(server) as page:
            await page.run()
            for widget in ("$$ID-0-samples", "samples", LONG_TEXT):
                assert_tells_nothing(await page.run([WidgetState(id=widget, string_value="x")]))
            for page_hash in ("", "0", LONG_TEXT):
                assert_tells_nothing(await silent(page, [], page_script_hash=page_hash))
            assert_tells_nothing(await silent(page, [], page_script_hash="", page_name="../../etc/passwd"))
            # Nobody answers for a fragment that there is not.
            for fragment in ("x", "../x", LONG_TEXT):
                await page.send(fragment=fragment, timer=True)
            messages = await page.run()
            assert has_title(messages)
            assert failures(messages) == []

    beside_a_run(server, attack)


def test_nobody_steers_anothers_run(server: Server) -> None:
    async def attack(run_id: str) -> None:
        for query in (f"run={run_id}", f"{ATTACKERS}&run={run_id}", ATTACKERS):
            async with attacker(server, query) as page:
                await page.run()
                # A link is read once; what a later message says of it must not make the run the page's own.
                page.query = f"run={run_id}"
                page.set("learning_rate", "10")
                page.set("pace", "Max")
                for command in COMMANDS:
                    assert failures(await page.click(f"transport_{command}")) == []
                    page.query = f"run={run_id}"
                await page.click("suggestion")

    beside_a_run(server, attack)


@pytest.mark.parametrize("message", [b"\xff" * 100, "hello"], ids=["bytes", "text"])
def test_what_is_no_message_ends_its_connection_alone(message: bytes | str, server: Server) -> None:
    async def attack(_run_id: str) -> None:
        async with attacker(server) as page:
            await page.run()
            await page.socket.send(message)
            with pytest.raises(ConnectionClosed):
                await page.answer()

    beside_a_run(server, attack)
