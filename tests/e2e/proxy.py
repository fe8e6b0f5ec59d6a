"""A reverse proxy with TLS that puts the dashboard below a path, as a lab's web server does."""

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

HEAD_END = b"\r\n\r\n"
START_SECONDS = 10
POLL_SECONDS = 0.02


@contextmanager
def proxied(server: str, folder: Path, path: str, *, strips: bool) -> Iterator[str]:
    """The address below which `server` is reached; a proxy that `strips` the path asks it as if it were alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(folder))
    proxy = _Proxy(urlsplit(server).port or 80, path, strips)
    ended = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        port: Future[int] = Future()
        # In a thread: a test with a browser has a loop of Playwright's own.
        serving = thread.submit(lambda: asyncio.run(_serve(proxy, context, port, ended)))
        try:
            yield f"https://127.0.0.1:{port.result(START_SECONDS)}{path}"
        finally:
            ended.set()
            serving.result()


async def _serve(proxy: "_Proxy", context: ssl.SSLContext, port: Future[int], ended: threading.Event) -> None:
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=context)
    port.set_result(listening.sockets[0].getsockname()[1])
    await asyncio.to_thread(ended.wait)
    listening.close()
    for writer in proxy.open:
        writer.close()
    while proxy.open:
        await asyncio.sleep(POLL_SECONDS)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed one, made now, and its key."""
    made, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=127.0.0.1", "-days", "2", "-keyout", str(key), "-out", str(made)]
    subprocess.run([*command, *names], check=True, capture_output=True)
    return made, key


class _Proxy:
    """One request a connection; after its head, bytes go both ways as they come, those of a websocket too."""

    def __init__(self, port: int, path: str, strips: bool) -> None:
        self._port = port
        self._path = path
        self._strips = strips
        self.open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(HEAD_END)
            asked, server = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                server.write(self._passed_on(head))
                await asyncio.gather(_copy(reader, server), _copy(asked, writer))
            finally:
                server.close()
        writer.close()
        self.open.discard(writer)

    def _passed_on(self, head: bytes) -> bytes:
        first, *headers = head.removesuffix(HEAD_END).decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        # What stands beside the path belongs to somebody else.
        assert target == self._path or target.startswith((f"{self._path}/", f"{self._path}?")), target
        if self._strips:
            target = target.removeprefix(self._path)
        if not any(header.lower().startswith("upgrade:") for header in headers):
            headers = [header for header in headers if not header.lower().startswith("connection:")]
            headers.append("Connection: close")
        return "\r\n".join((f"{method} {target} {version}", *headers, "X-Forwarded-Proto: https", "", "")).encode()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(2**16):
            writer.write(piece)
            await writer.drain()
    writer.close()  # who has nothing more to say is not waited for by the other side
