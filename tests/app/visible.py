"""Every text that a page under AppTest shows, wherever it stands."""

import json
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block, Node

TEXT_FIELDS = frozenset(
    {"label", "body", "help", "text", "options", "content", "delta", "placeholder", "title", "caption", "message"}
)
"""The fields of Streamlit's messages that a person reads."""
FIGURE_TEXT_KEYS = frozenset({"name", "text", "hovertemplate", "description", "label"})
TAGS = re.compile(r"<style>.*?</style>|<[^>]+>", re.DOTALL)


def visible_texts(page: AppTest) -> list[str]:
    """All texts of the page and its sidebar, the figures' among them."""
    found = [text for block in (page.main, page.sidebar) for node in _nodes(block) for text in _texts_of(node)]
    return [text for text in (TAGS.sub(" ", text).strip() for text in found) if text]


def _nodes(block: Block) -> Iterator[Node]:
    for child in block.children.values():
        yield child
        if isinstance(child, Block):
            yield from _nodes(child)


def _texts_of(node: Node) -> Iterator[str]:
    proto: Any = getattr(node, "proto", None)
    if getattr(node, "type", None) == "bidi_component":
        yield from _figure_texts(json.loads(proto.json))
    elif isinstance(proto, Message):
        yield from _message_texts(proto)


def _message_texts(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for child in value if field.is_repeated else [value]:
                yield from _message_texts(child)
        elif field.type == field.TYPE_STRING and field.name in TEXT_FIELDS:
            yield from value if field.is_repeated else [value]


def _figure_texts(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key in FIGURE_TEXT_KEYS and isinstance(value, str):
                yield value
            else:
                yield from _figure_texts(value)
    elif isinstance(part, list):
        for value in part:
            yield from _figure_texts(value)
