"""A page without a browser: what the browser's script says over the websocket, and nothing else.

Light enough for a crowd, and free to say what no browser would.
"""

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final, Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

SUBPROTOCOL: Final = Subprotocol("streamlit")
LARGEST_MESSAGE_BYTES: Final = 64 * 2**20
ANSWER_SECONDS: Final = 30.0


def new_cookie(url: str) -> str:
    """The cookies that the server gives to a new browser, as a `Cookie` header."""
    request = urllib.request.Request(f"{url}/", headers={"Accept": "text/html"})
    with urllib.request.urlopen(request) as response:
        given = response.headers.get_all("Set-Cookie") or []
    return "; ".join(cookie.partition(";")[0] for cookie in given)


class RawPage:
    """One open page; not safe for several tasks at once."""

    def __init__(self, socket: ClientConnection, query: str) -> None:
        self.socket = socket
        self.query = query
        self.num_bytes = 0
        """Bytes of all messages received so far."""
        self.timer: tuple[str, float] | None = None
        """Fragment and seconds of the timer that the page has been told to keep; None for none."""
        self._page_hash = ""
        self._kept: set[str] = set()

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, query: str = "", cookie: str | None = None) -> AsyncIterator[Self]:
        """Connect as a browser with these cookies; nothing is asked for yet."""
        headers = {"Origin": url} | ({"Cookie": cookie} if cookie else {})
        async with connect(
            f"{url.replace('http', 'ws', 1)}/_stcore/stream",
            subprotocols=[SUBPROTOCOL],
            additional_headers=headers,
            compression=None,
            max_size=LARGEST_MESSAGE_BYTES,
        ) as socket:
            yield cls(socket, query)

    async def run(
        self, widgets: Iterable[WidgetState] = (), *, fragment: str | None = None, timer: bool = False
    ) -> list[ForwardMsg]:
        """Have the script (or one fragment of it) run with these widget values, and collect what it answers."""
        await self.send(widgets, fragment=fragment, timer=timer)
        return await self.answer()

    async def refresh(self) -> list[ForwardMsg]:
        """What the page's timer does each time: run its fragment."""
        assert self.timer is not None, "the page has no timer"
        return await self.run(fragment=self.timer[0], timer=True)

    async def send(
        self, widgets: Iterable[WidgetState] = (), *, fragment: str | None = None, timer: bool = False
    ) -> None:
        """Ask for a run and do not wait for it."""
        if fragment is None:
            self.timer = None
        message = BackMsg()
        state = message.rerun_script
        state.query_string = self.query
        state.page_script_hash = self._page_hash
        state.widget_states.widgets.extend(widgets)
        state.cached_message_hashes.extend(self._kept)
        state.is_auto_rerun = timer
        if fragment is not None:
            state.fragment_id = fragment
        await self.socket.send(message.SerializeToString())

    async def answer(self) -> list[ForwardMsg]:
        """The messages up to the end of the script's next run that is not cut short by another."""
        found = []
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                message = await self.receive()
                found.append(message)
                finished = message.WhichOneof("type") == "script_finished"
                if finished and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    return found

    async def receive(self) -> ForwardMsg:
        """The next message, whatever it is about."""
        data = await self.socket.recv(decode=False)
        self.num_bytes += len(data)
        message = ForwardMsg.FromString(data)
        if message.metadata.cacheable and message.hash:
            self._kept.add(message.hash)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._page_hash = message.new_session.page_script_hash
        elif kind == "stop_auto_rerun":
            self.timer = None
        elif kind == "auto_rerun":
            self.timer = message.auto_rerun.fragment_id, message.auto_rerun.interval
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        return message


def texts(messages: Iterable[ForwardMsg]) -> str:
    """Everything that the messages say, as one text to look for sentences in."""
    return "\n".join(str(message) for message in messages)
