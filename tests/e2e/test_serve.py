"""A workshop's server as its own process, and what happens to it when callers are no pages."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.e2e.server import ROOT, STOP_SECONDS, free_port
from tests.fakes import eventually
from tests.raw_client import SUBPROTOCOL, RawPage, new_cookie, texts

START_SECONDS = 60
NUM_SILENT = 200
FIVE_MB = 5 * 2**20
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+\b")


@dataclass(frozen=True)
class Served:
    """A server that `serve` has started, and what it has said so far."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def url(self) -> str:
        found = ADDRESS.search(self.said)
        assert found, self.said
        return found[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Started from another folder than the repository's."""
    folder = tmp_path_factory.mktemp("serve")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DPDASH_")},
        "PYTHONPATH": str(ROOT),
        "DPDASH_DATABASE_URL": f"sqlite:///{folder / 'runs.db'}",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dpdash", "serve", "--address", "127.0.0.1", "--port", str(free_port())],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    served = Served(process, folder / "log")
    try:
        eventually(lambda: is_healthy(served) or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, served.said
        yield served
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def is_healthy(served: Served) -> bool:
    if not ADDRESS.search(served.said):
        return False
    try:
        return status(f"{served.url}/_stcore/health") == 200
    except OSError:
        return False


def status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as response:
        code: int = response.status
        return code


def num_sessions(url: str) -> int:
    """How many pages Streamlit knows of, from its own count."""
    with urllib.request.urlopen(f"{url}/_stcore/metrics?families=active_sessions", timeout=10) as response:
        found = re.search(r"^active_sessions (\d+)", response.read().decode(), re.MULTILINE)
    assert found
    return int(found[1])


def together(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run it in a thread of its own: Playwright's event loop has the main one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, scenario()).result()


@asynccontextmanager
async def silent(url: str) -> AsyncIterator[ClientConnection]:
    """A websocket that says nothing by itself."""
    stream = f"{url.replace('http', 'ws', 1)}/_stcore/stream"
    async with connect(
        stream, subprotocols=[SUBPROTOCOL], additional_headers={"Origin": url}, compression=None, close_timeout=1
    ) as connection:
        yield connection


async def close_code(connection: ClientConnection) -> int | None:
    """How the server closes it, once it does."""
    try:
        while True:
            await connection.recv()
    except ConnectionClosed:
        return connection.close_code


def test_it_says_where_it_is_and_lets_the_teacher_in(served: Served) -> None:
    assert "is served to this machine only" in served.said
    assert f"For the teacher: {served.url}/room\nPassphrase: " in served.said
    assert re.search(r"^Passphrase: ([a-z]{5}-){2}[a-z]{5}$", served.said, re.MULTILINE)
    passphrase = served.said.partition("Passphrase: ")[2].split()[0]
    arguments = subprocess.run(
        ["ps", "-o", "args=", "-p", str(served.process.pid)], capture_output=True, text=True, check=True
    ).stdout
    assert "streamlit run" in arguments  # the command has become the server
    assert passphrase not in arguments


@pytest.mark.long
def test_two_hundred_that_say_nothing_disturb_nobody(served: Served) -> None:
    async def scenario() -> None:
        url = served.url
        place = urlsplit(url)
        async with AsyncExitStack() as stack:
            page = await stack.enter_async_context(RawPage.opened(url, cookie=new_cookie(url)))
            await page.run()
            for _ in range(NUM_SILENT):
                _, writer = await asyncio.open_connection(place.hostname, place.port)
                stack.callback(writer.close)
            silents = [await stack.enter_async_context(silent(url)) for _ in range(NUM_SILENT)]
            assert await asyncio.to_thread(num_sessions, url) == 1
            for _ in range(5):
                assert "script_finished" in texts(await page.run())
            async with RawPage.opened(url, cookie=new_cookie(url)) as another:
                assert "script_finished" in texts(await another.run())
            codes = await asyncio.gather(*map(close_code, silents))
            assert set(codes) == {1008}
            assert "script_finished" in texts(await page.run())

    together(scenario)


def test_messages_that_are_too_big_or_none_end_their_connection_only(served: Served) -> None:
    async def scenario() -> None:
        url = served.url
        async with RawPage.opened(url, cookie=new_cookie(url)) as page:
            await page.run()
            for data, code in ((bytes(FIVE_MB), 1009), (bytes(2**20), 1009), (b"\xff\xff", 1002), ("text", 1003)):
                async with silent(url) as connection:
                    with suppress(ConnectionClosed):  # it may have had enough before all is sent
                        await connection.send(data)
                    assert await close_code(connection) == code
            # Of a page that has a session, too.
            async with RawPage.opened(url, cookie=new_cookie(url)) as other:
                await other.run()
                await other.socket.send(bytes(2**20))
                assert await close_code(other.socket) == 1009
            assert "script_finished" in texts(await page.run())

    together(scenario)


def test_nobody_can_empty_the_caches_of_the_server(served: Served) -> None:
    """The runs of everybody are in one of them."""

    async def scenario() -> None:
        url = served.url
        async with RawPage.opened(url, cookie=new_cookie(url)) as page:
            await page.run()
            await page.socket.send(BackMsg(clear_cache=True).SerializeToString())
            assert "script_finished" in texts(await page.run())

    together(scenario)
    assert "Passed over a message that no page here sends: clear_cache" in served.said


@pytest.mark.parametrize(
    ("size", "codes"), [(10_000, {200}), (100_000, {400, 414, 431}), (1_000_000, {400, 414, 431})]
)
def test_a_long_address_gets_a_page_and_a_longer_one_a_clean_refusal(
    served: Served, size: int, codes: set[int]
) -> None:
    place = urlsplit(served.url)
    with closing(socket.create_connection((place.hostname, place.port), timeout=20)) as caller:
        head = f"GET /?{'x' * size} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n"
        try:
            caller.sendall(head.encode())
        except OSError:
            assert size > 10_000  # it had enough, and did not read on
        answer = caller.recv(64)
    assert int(answer.split()[1]) in codes


def test_fifteen_hundred_settings_get_the_page(served: Served) -> None:
    assert status(f"{served.url}/?{'&'.join(f'parameter_{number}={number}' for number in range(1_500))}") == 200


def test_a_signal_ends_it(served: Served) -> None:
    assert "Traceback" not in served.said
    served.process.send_signal(signal.SIGTERM)
    served.process.wait(STOP_SECONDS)
    assert "Traceback" not in served.said
