"""Requests to an ASGI app, without a server."""

from collections.abc import Mapping
from typing import Any

from starlette.types import Message, Scope

from tests.loops import in_a_loop_of_its_own


def answered(app: Any, scope: Scope) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body of the app's answer to one request."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    in_a_loop_of_its_own(app(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:])
