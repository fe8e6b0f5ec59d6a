"""What stands before the websockets, of which each open page has one: how many, from where, how much they say."""

import asyncio
import time
from collections import Counter
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dpdash.web.rate_limit import Allowance, RateLimiter
from dpdash.web.request_guard import LOGGER, Refusal, is_local, refuse
from dpdash.web.streamlit_internals.page_message import DecodeError, PageMessage

LARGEST_MESSAGE_BYTES: Final = 256 * 1024
"""The largest honest message is a few kB, and 48 kB more where the page's address is as long as it may be."""
SILENT_SECONDS: Final = 10.0
"""A page asks to be drawn as soon as it is connected; who says nothing in this time is no page."""
MESSAGES: Final = Allowance(at_once=100, seconds=1 / 50)
WANTED: Final = {"rerun_script": 1, "stop_script": 1, "dataframe_chunk": 1, "deferred_file": 25}
"""What a page of the dashboard says, and as how many messages it counts. Streamlit takes more from anybody: to
empty the caches of the whole server, to tell its git repository, to install files for its developers."""
POLICY_VIOLATION, PROTOCOL_ERROR, NO_TEXT, TOO_BIG = 1008, 1002, 1003, 1009

FOREIGN_PAGE: Final = Refusal(
    403,
    "This page belongs to another server. Behind a proxy, let it pass the Host header on with its port: in nginx, "
    "proxy_set_header Host $http_host.",
)
TOO_MANY_PAGES: Final = Refusal(503, "Too many pages are open. Close some, or try again later.")


class PageGuard:
    """Lets pages in as long as there is room, and holds each to what a page says."""

    def __init__(self, app: ASGIApp, max_pages: int, silent_seconds: float = SILENT_SECONDS) -> None:
        """Of `max_pages`, one machine may have at most half, unless it is the server's own."""
        self.app = app
        self._max_pages = max_pages
        self._silent_seconds = silent_seconds
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        address = scope["client"][0] if scope.get("client") else ""
        refusal = self._refusal(scope, address)
        if refusal is not None:
            await refuse(refusal, scope, receive, send)
            return
        self._open[address] += 1
        try:
            await _Page(scope, receive, send).talk(self.app, self._silent_seconds)
        finally:
            self._open[address] -= 1
            self._open += Counter()  # forgets addresses without a page

    @property
    def num_pages(self) -> int:
        """How many pages are open."""
        return self._open.total()

    def _refusal(self, scope: Scope, address: str) -> Refusal | None:
        if not _is_from_here(scope):
            return FOREIGN_PAGE
        share = self._max_pages if is_local(scope) else max(1, self._max_pages // 2)
        if self.num_pages >= self._max_pages or self._open[address] >= share:
            return TOO_MANY_PAGES
        return None


def _is_from_here(scope: Scope) -> bool:
    """Whether a page of this server asks; programs, which name no page, may only on this machine."""
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if origin is None:
        return is_local(scope)
    try:
        return urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        return False


class _Page:
    """One websocket."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._messages = RateLimiter(MESSAGES)
        self._is_accepted = False
        self._is_closed = False

    async def talk(self, app: ASGIApp, silent_seconds: float) -> None:
        """Hand the page on as soon as it has said something sensible.

        A page that comes back after its connection was lost says nothing where nothing has changed meanwhile. It
        names its session instead, as the third protocol.
        """
        protocols = self._scope["subprotocols"]
        waiting = [await self._receive()]
        if len(protocols) < 3 or not protocols[2]:
            await self.send({"type": "websocket.accept", "subprotocol": protocols[0] if protocols else None})
            try:
                async with asyncio.timeout(silent_seconds):
                    waiting.append(await self.receive())
            except TimeoutError:
                await self._close(POLICY_VIOLATION, "A page said nothing for too long.")
                return

        async def receive() -> Message:
            return waiting.pop(0) if waiting else await self.receive()

        if waiting[-1]["type"] != "websocket.disconnect":
            await app(self._scope, receive, self.send)

    async def receive(self) -> Message:
        """The next message that a page may send; one that it may not ends the connection or is passed over."""
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return message
            await self._wait_for(1)
            data = message.get("bytes")
            if data is None:
                return await self._close(NO_TEXT, "A page sent text, which no page does.")
            if len(data) > LARGEST_MESSAGE_BYTES:
                return await self._close(TOO_BIG, "A page sent a message that is too big.")
            try:
                asked = PageMessage(data)
            except DecodeError:
                return await self._close(PROTOCOL_ERROR, "A page sent what is no message.")
            kind = asked.kind
            if kind in WANTED:
                if WANTED[kind] > 1:
                    await self._wait_for(WANTED[kind] - 1)
                short = asked.with_short_query()
                return message if short is None else {**message, "bytes": short}
            LOGGER.warning("Passed over a message that no page here sends: %s.", kind)

    async def send(self, message: Message) -> None:
        """Send on what the app sends, except what comes too late or twice."""
        if self._is_closed or (message["type"] == "websocket.accept" and self._is_accepted):
            return
        self._is_accepted = self._is_accepted or message["type"] == "websocket.accept"
        self._is_closed = message["type"] == "websocket.close"
        try:
            await self._send(message)
        except RuntimeError as error:
            # The web server has answered a page that says goodbye, and Streamlit has not heard of it. Only as an
            # OSError does it take that for what it is.
            raise ConnectionResetError("the page has closed its connection") from error

    async def _wait_for(self, number: int) -> None:
        """Wait until the page may say so much; meanwhile what it sends heaps up on its own machine."""
        now = time.monotonic()
        seconds = self._messages.seconds_to_wait("", now, number)
        self._messages.take("", now, number)
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def _close(self, code: int, sentence: str) -> Message:
        LOGGER.warning(f"Closed: {sentence}")
        await self.send({"type": "websocket.close", "code": code})
        return {"type": "websocket.disconnect", "code": code}
