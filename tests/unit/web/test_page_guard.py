"""The middleware before every websocket; the test is the caller and the server's end, `Echo` is Streamlit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg, DeferredFileRequestPayload, InstallSkillsRequestPayload

from dpdash.web.page_guard import LARGEST_MESSAGE_BYTES, MESSAGES, PageGuard
from dpdash.web.rate_limit import Allowance
from tests.loops import in_a_loop_of_its_own

HERE, ELSEWHERE = ("127.0.0.1", 50_000), ("192.168.1.7", 50_000)
HOST = "192.168.1.5:8501"
ORIGIN = f"http://{HOST}"
STREAM = "/_stcore/stream"
DISCONNECT: Message = {"type": "websocket.disconnect", "code": 1006}


class Echo:
    """What stands behind the guard: it accepts, and keeps what comes."""

    def __init__(self) -> None:
        self.num_sessions = 0
        self.got: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept", "subprotocol": "streamlit"})
        self.num_sessions += 1
        while (message := await receive())["type"] != "websocket.disconnect":
            self.got.append(message["bytes"])
        await send({"type": "websocket.send", "bytes": b"too late"})


class Caller:
    """One connection, from the outside."""

    def __init__(self, guard: PageGuard, **scope: Any) -> None:
        self.sent: list[Message] = []
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._queue.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.ensure_future(guard(websocket(**scope), self._queue.get, self._send))

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    def say(self, **content: Any) -> None:
        self._queue.put_nowait({"type": "websocket.receive", **content})

    def leave(self) -> None:
        self._queue.put_nowait(DISCONNECT)

    @property
    def types(self) -> list[str]:
        return [message["type"].removeprefix("websocket.") for message in self.sent]


def websocket(client: Any = ELSEWHERE, origin: str | None = ORIGIN, protocols: tuple[str, ...] = ()) -> Scope:
    headers = [(b"host", HOST.encode())] + ([] if origin is None else [(b"origin", origin.encode())])
    return {
        "type": "websocket",
        "scheme": "ws",
        "path": STREAM,
        "query_string": b"",
        "client": client,
        "headers": headers,
        "subprotocols": list(protocols),
    }


def message(**content: Any) -> bytes:
    return BackMsg(**content).SerializeToString()


RERUN = message(rerun_script={})


def run(talk: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await talk()

    in_a_loop_of_its_own(bounded())


def test_a_page_that_speaks_is_handed_on_whole() -> None:
    echo = Echo()

    async def talk() -> None:
        caller = Caller(PageGuard(echo, 2), protocols=("streamlit", "token"))
        caller.say(bytes=RERUN)
        caller.say(bytes=RERUN)
        caller.leave()
        await caller.task
        assert caller.types == ["accept", "send"]
        assert caller.sent[0]["subprotocol"] == "streamlit"

    run(talk)
    assert echo.got == [RERUN, RERUN]


def test_a_page_that_says_nothing_gets_no_session_and_is_closed() -> None:
    echo = Echo()

    async def talk() -> None:
        guard = PageGuard(echo, 2, silent_seconds=0.01)
        caller = Caller(guard, protocols=("streamlit",))
        await caller.task
        assert caller.types == ["accept", "close"]
        assert caller.sent[-1]["code"] == 1008
        assert guard.num_pages == 0

    run(talk)
    assert echo.num_sessions == 0


def test_a_page_that_comes_back_need_not_speak() -> None:
    echo = Echo()

    async def talk() -> None:
        caller = Caller(PageGuard(echo, 2, silent_seconds=0), protocols=("streamlit", "", "known session"))
        while not echo.num_sessions:
            await asyncio.sleep(0)
        assert caller.types == ["accept"]
        caller.leave()
        await caller.task

    run(talk)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"bytes": b"x" * (LARGEST_MESSAGE_BYTES + 1)}, 1009),
        ({"bytes": b"\xff\xff junk"}, 1002),
        ({"text": "hello"}, 1003),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_what_no_page_sends_ends_the_connection(content: Any, code: int, is_first: bool) -> None:
    echo = Echo()

    async def talk() -> None:
        caller = Caller(PageGuard(echo, 2))
        if not is_first:
            caller.say(bytes=RERUN)
        caller.say(**content)
        await caller.task
        assert caller.types == ["accept", "close"]  # and nothing after it
        assert caller.sent[-1]["code"] == code

    run(talk)
    assert echo.got == ([] if is_first else [RERUN])


def test_commands_to_the_whole_server_are_passed_over() -> None:
    echo = Echo()
    backend = {"request_id": "1", "session_id": "2"}
    download = message(
        backend_operation_request={**backend, "deferred_file": DeferredFileRequestPayload(file_id="a")}
    )
    unwanted = (
        b"",
        message(clear_cache=True),
        message(load_git_info=True),
        message(set_run_on_save=True),
        message(debug_shutdown_runtime=True),
        message(file_urls_request={}),
        message(backend_operation_request={**backend, "install_skills": InstallSkillsRequestPayload()}),
        message(backend_operation_request=backend),
    )
    wanted = (message(stop_script=True), download, RERUN)

    async def talk() -> None:
        caller = Caller(PageGuard(echo, 2))
        for data in (*unwanted, *wanted):
            caller.say(bytes=data)
        caller.leave()
        await caller.task

    run(talk)
    assert echo.got == list(wanted)


@pytest.mark.parametrize(
    ("client", "origin", "is_in"),
    [
        (ELSEWHERE, ORIGIN, True),
        (ELSEWHERE, "http://evil.example", False),
        (ELSEWHERE, "http://192.168.1.5:9999", False),
        (ELSEWHERE, f"http://evil-{HOST}", False),
        (ELSEWHERE, f"http://{HOST}.evil.example", False),
        (ELSEWHERE, "null", False),
        (ELSEWHERE, "http://[", False),
        (HERE, "http://evil.example", False),
        (ELSEWHERE, None, False),
        (HERE, None, True),
    ],
)
def test_only_pages_of_this_server_come_in(client: Any, origin: str | None, is_in: bool) -> None:
    async def talk() -> None:
        caller = Caller(PageGuard(Echo(), 2), client=client, origin=origin)
        caller.leave()
        await caller.task
        assert caller.types[0] == ("accept" if is_in else "close")

    run(talk)


def test_one_page_too_many_is_refused_and_the_others_go_on() -> None:
    echo = Echo()

    async def talk() -> None:
        guard = PageGuard(echo, 2)
        others = [Caller(guard, client=HERE) for _ in range(2)]
        for other in others:
            other.say(bytes=RERUN)
        while len(echo.got) < 2:
            await asyncio.sleep(0)
        refused = Caller(guard)
        await refused.task
        assert refused.types == ["close"]
        others[0].leave()
        await others[0].task
        others[1].say(bytes=RERUN)
        admitted = Caller(guard)
        admitted.say(bytes=RERUN)
        for caller in (admitted, others[1]):
            caller.leave()
            await caller.task
        assert guard.num_pages == 0

    run(talk)
    assert echo.num_sessions == 3
    assert len(echo.got) == 4


def test_one_machine_cannot_take_every_place() -> None:
    async def talk() -> None:
        guard = PageGuard(Echo(), 4)
        callers = [Caller(guard) for _ in range(4)] + [Caller(guard, client=("192.168.1.8", 1))]
        await asyncio.sleep(0)
        await asyncio.gather(callers[2].task, callers[3].task)
        assert [caller.types for caller in callers[2:4]] == [["close"], ["close"]]
        assert guard.num_pages == 3
        for caller in (*callers[:2], callers[4]):
            caller.leave()
            await caller.task

    run(talk)


def test_a_flood_is_read_no_faster_than_the_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    echo = Echo()
    waited: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr("dpdash.web.page_guard.asyncio.sleep", note)
    slow = Allowance(MESSAGES.at_once, seconds=1e6)  # so that none comes back meanwhile
    monkeypatch.setattr("dpdash.web.page_guard.MESSAGES", slow)

    async def talk() -> None:
        caller = Caller(PageGuard(echo, 2))
        for _ in range(MESSAGES.at_once + 20):
            caller.say(bytes=RERUN)
        caller.leave()
        await caller.task

    run(talk)
    assert len(echo.got) == MESSAGES.at_once + 20
    assert len(waited) == 20


def test_a_page_that_has_closed_its_connection_counts_as_gone() -> None:
    """uvicorn raises a RuntimeError for it, which Streamlit would log with a traceback."""

    async def scenario() -> None:
        async def refuse(sent: Message) -> None:
            if sent["type"] == "websocket.send":
                raise RuntimeError("Unexpected ASGI message 'websocket.send', after sending 'websocket.close'.")

        queue: asyncio.Queue[Message] = asyncio.Queue()
        said: Message = {"type": "websocket.receive", "bytes": RERUN}
        for each in ({"type": "websocket.connect"}, said, DISCONNECT):
            queue.put_nowait(each)
        await PageGuard(Echo(), 1)(websocket(), queue.get, refuse)

    with pytest.raises(ConnectionResetError, match="closed its connection"):
        in_a_loop_of_its_own(scenario())
