"""A page without a browser: what the browser's script says over the websocket, and nothing else.

Light enough for a crowd, and free to say what no browser would.
"""

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import DoubleArray, StringArray
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NumberInput_pb2 import NumberInput
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

    def __init__(self, socket: ClientConnection, query: str, name: str = "") -> None:
        self.socket = socket
        self.query = query
        self.name = name
        """Of the page in the app's addresses; empty for the first one."""
        self.num_bytes = 0
        """Bytes of all messages received so far."""
        self.timer: tuple[str, float] | None = None
        """Fragment and seconds of the timer that the page has been told to keep; None for none."""
        self.page_hash = ""
        """Which of the app's pages is open; empty for the first one."""
        self._kept: set[str] = set()
        self._widgets: dict[str, WidgetState] = {}
        """What every widget of the page stands at, by its id."""
        self._buttons: set[str] = set()

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, url: str, query: str = "", cookie: str | None = None, name: str = ""
    ) -> AsyncIterator[Self]:
        """Connect as a browser with these cookies; nothing is asked for yet."""
        headers = {"Origin": url} | ({"Cookie": cookie} if cookie else {})
        async with connect(
            f"{url.replace('http', 'ws', 1)}/_stcore/stream",
            subprotocols=[SUBPROTOCOL],
            additional_headers=headers,
            compression=None,
            max_size=LARGEST_MESSAGE_BYTES,
            max_queue=None,  # what nobody reads must not keep the page from being closed
        ) as socket:
            yield cls(socket, query, name)

    async def run(
        self, widgets: Iterable[WidgetState] = (), *, fragment: str | None = None, timer: bool = False
    ) -> list[ForwardMsg]:
        """Have the script (or one fragment of it) run with these widget values, and collect what it answers."""
        await self.send(widgets, fragment=fragment, timer=timer)
        return await self.answer()

    async def click(self, key: str) -> list[ForwardMsg]:
        """Press a button that the page has, or has had."""
        return await self.run([WidgetState(id=self.id_of(key), trigger_value=True)])

    def set(self, key: str, *values: float | str) -> None:
        """Move a widget, as the next run will say; a list of choices takes what it shows, not its index."""
        self._widgets[self.id_of(key)] = _stand_at(self._widgets[self.id_of(key)], values)

    @property
    def widget_states(self) -> tuple[WidgetState, ...]:
        """What every widget of the page stands at now."""
        return tuple(self._widgets.values())

    def id_of(self, key: str) -> str:
        """The id under which a widget of this key is known."""
        return next(known for known in (*self._widgets, *self._buttons) if known.endswith(f"-{key}"))

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
        state.page_script_hash = self.page_hash
        state.page_name = self.name
        given = {widget.id: widget for widget in widgets}
        state.widget_states.widgets.extend((self._widgets | given).values())
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
        if kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._take_widget(message.delta.new_element)
        elif kind == "new_session":
            self.page_hash = message.new_session.page_script_hash
        elif kind == "stop_auto_rerun":
            self.timer = None
        elif kind == "auto_rerun":
            self.timer = message.auto_rerun.fragment_id, message.auto_rerun.interval
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        return message

    def _take_widget(self, element: Element) -> None:
        """Let a widget stand where the server puts it, unless it stands somewhere already."""
        kind = element.WhichOneof("type")
        if kind == "button":
            self._buttons.add(element.button.id)
        state = _DEFAULTS[kind](element) if kind in _DEFAULTS else None
        if (
            kind is not None
            and state is not None
            and (getattr(element, str(kind)).set_value or state.id not in self._widgets)
        ):
            self._widgets[state.id] = state


def _slider(element: Element) -> WidgetState:
    slider = element.slider
    if slider.options:
        chosen = slider.raw_value if slider.set_value else [slider.options[int(index)] for index in slider.default]
        return WidgetState(id=slider.id, string_array_value=StringArray(data=chosen))
    values = slider.value if slider.set_value else slider.default
    return WidgetState(id=slider.id, double_array_value=DoubleArray(data=values))


def _number_input(element: Element) -> WidgetState:
    field = element.number_input
    value = field.value if field.set_value else field.default
    if field.data_type == NumberInput.INT:
        return WidgetState(id=field.id, int_value=int(value))
    return WidgetState(id=field.id, double_value=value)


def _selectbox(element: Element) -> WidgetState:
    box = element.selectbox
    return WidgetState(id=box.id, string_value=box.raw_value if box.set_value else box.options[box.default])


def _button_group(element: Element) -> WidgetState:
    group = element.button_group
    chosen = group.raw_values if group.set_value else [group.options[index].content for index in group.default]
    return WidgetState(id=group.id, string_array_value=StringArray(data=chosen))


def _text_input(element: Element) -> WidgetState:
    field = element.text_input
    return WidgetState(id=field.id, string_value=field.value if field.set_value else field.default)


_DEFAULTS: Final[Mapping[str | None, Callable[[Element], WidgetState]]] = {
    "slider": _slider,
    "number_input": _number_input,
    "selectbox": _selectbox,
    "button_group": _button_group,
    "text_input": _text_input,
}


def _stand_at(state: WidgetState, values: Sequence[float | str]) -> WidgetState:
    """The same widget with other values, in the way in which it says its own."""
    moved = WidgetState(id=state.id)
    kind = state.WhichOneof("value")
    assert kind is not None
    if kind in ("string_array_value", "double_array_value"):
        getattr(moved, kind).data.extend(values)
    else:
        setattr(moved, kind, values[0])
    return moved


def texts(messages: Iterable[ForwardMsg]) -> str:
    """Everything that the messages say, as one text to look for sentences in."""
    return "\n".join(str(message) for message in messages)
