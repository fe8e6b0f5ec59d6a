"""What a page of the dashboard shows, read from the messages that draw it."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs

from streamlit.components.v2.bidi_component.constants import EVENT_DELIM
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.state.session_state import STREAMLIT_INTERNAL_KEY_PREFIX

from dpdash.core.config import FIELD_NAMES, RunConfig

STATUS = re.compile(r"role='status'[^>]*>([^<]*)<")
TITLE = "y = 3x + noise<"


def elements(messages: Iterable[ForwardMsg]) -> Iterator[Element]:
    """Everything that the messages put on the page."""
    for message in messages:
        if message.WhichOneof("type") == "delta" and message.delta.WhichOneof("type") == "new_element":
            yield message.delta.new_element


def has_title(messages: Iterable[ForwardMsg]) -> bool:
    return any(element.html.body.find(TITLE) >= 0 for element in elements(messages))


def status(messages: Iterable[ForwardMsg]) -> str:
    """What the page says that its run does."""
    found = (STATUS.search(element.html.body) for element in elements(messages))
    return next(match.group(1) for match in found if match)


def alerts(messages: Iterable[ForwardMsg]) -> list[str]:
    """The sentences in the page's boxes, without what keeps markdown from reading them."""
    boxes = (element.alert.body for element in elements(messages) if element.WhichOneof("type") == "alert")
    return [re.sub(r"\\(.)", r"\1", sentence) for body in boxes for sentence in body.split("  \n")]


def feeds(messages: Iterable[ForwardMsg]) -> Iterator[str]:
    """The ids under which the feeds of the page's charts say something."""
    for element in elements(messages):
        if "dpdash-feed" in element.bidi_component.id:
            yield element.bidi_component.id
            yield f"{STREAMLIT_INTERNAL_KEY_PREFIX}_{element.bidi_component.id}{EVENT_DELIM}events"


def failures(messages: Iterable[ForwardMsg]) -> list[str]:
    """What the page says of exceptions in its script."""
    return [
        "\n".join((element.exception.type, element.exception.message, *element.exception.stack_trace))
        for element in elements(messages)
        if element.WhichOneof("type") == "exception"
    ]


def settings(query: str) -> RunConfig:
    """The settings in a page's address."""
    return RunConfig.parse({name: values[-1] for name, values in parse_qs(query).items() if name in FIELD_NAMES})
