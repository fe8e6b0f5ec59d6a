"""What stands before every request: who may ask, for what, and what the browser may do with the answer.

Learners open the dashboard over plain HTTP, on a network that others share. So a request counts as hostile until
it looks like one that a page of the dashboard makes.
"""

import base64
import hashlib
import logging
import re
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dpdash.core.network import is_address, is_loopback
from dpdash.web.addresses import path_of
from dpdash.web.transfers import TAKING_PATHS

LOGGER: Final = logging.getLogger(__name__)
LONGEST_ADDRESS_BYTES: Final = 48 * 1024
"""Path and query together: 1,500 settings fit in, and the page can say what is wrong with them."""
METHODS: Final = ("GET", "HEAD", "OPTIONS")
"""Two addresses take files of runs and of own data (`transfers`); everything else goes over the websocket."""
CORE: Final = "/_stcore/"
OPEN_CORE_PATHS: Final = frozenset({"health", "host-config", "stream"})
"""What a page asks of Streamlit's own routes. A route that is not here is closed, also one that is new."""
LOCAL_CORE_PATHS: Final = frozenset({"metrics"})
CLOSED_PATHS: Final = ("/auth/", "/oauth2callback", "/component/")
HOST: Final = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
SCRIPT_IN_PAGE: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer instead of the one that was asked for."""

    status: int
    sentence: str


ADDRESS_TOO_LONG: Final = Refusal(414, "The address of this request is too long.")
UNKNOWN_HOST: Final = Refusal(
    421, "The server does not go by this name. Open it by its address, or start it with --allowed-host NAME."
)
WRONG_METHOD: Final = Refusal(405, "This server takes GET and HEAD.")
NOT_FOUND: Final = Refusal(404, "Not found.")
FAILED: Final = Refusal(500, "The server failed to answer. Try again.")


class SecurityHeaders:
    """Tells the browser what a page of the dashboard does, so that it does nothing else."""

    def __init__(self, app: ASGIApp, frame_ancestors: Collection[str] = ()) -> None:
        """`frame_ancestors` are the sites that may show a page in a frame, besides the dashboard itself."""
        self.app = app
        self._frame_ancestors = frame_ancestors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = False

        async def send_with_headers(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                MutableHeaders(scope=message).update(security_headers(scope, self._frame_ancestors))
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            if began:
                raise
            LOGGER.exception("A request failed.")
            await answer(FAILED, send_with_headers)


class RequestGuard:
    """Refuses requests that no page of the dashboard makes, before anything else looks at them."""

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str] = ()) -> None:
        """`allowed_hosts` are the names that the server goes by besides its own and its addresses.

        That a name leads here is not enough: whoever has a name can let it lead here, and a page of theirs would
        then be at home here (DNS rebinding). An address cannot be used like that.
        """
        self.app = app
        self._names = frozenset(name.lower().rstrip(".") for name in (*own_names(), *allowed_hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await refuse(refusal, scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > LONGEST_ADDRESS_BYTES:
            return ADDRESS_TOO_LONG
        if not self._is_known(Headers(scope=scope).get("host", "")):
            return UNKNOWN_HOST
        if scope["type"] == "http" and not _is_taken(scope):
            return WRONG_METHOD
        return None if _is_open(scope) else NOT_FOUND

    def _is_known(self, host: str) -> bool:
        name = host_name(host)
        return name is not None and (is_address(name) or name in self._names)


def security_headers(scope: Scope, frame_ancestors: Collection[str] = ()) -> dict[str, str]:
    """The headers of one answer."""
    host = Headers(scope=scope).get("host", "")
    name = host_name(host)
    is_secure = scope["scheme"] in ("https", "wss")
    # For browsers that do not yet take 'self' to cover the websocket of the same host.
    websocket = f" {'wss' if is_secure else 'ws'}://{host.lower()}" if name else ""
    headers = {
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'none'",
                # A component's own script reaches the browser as a blob.
                f"script-src 'self' blob: {' '.join(_scripts_in_page())}",
                # Streamlit and plotly style elements one by one.
                "style-src 'self' 'unsafe-inline'",
                "img-src 'self' data: blob:",
                "font-src 'self' data:",
                "media-src 'self'",
                f"connect-src 'self'{websocket}",
                "worker-src 'self' blob:",
                "manifest-src 'self'",
                "base-uri 'none'",
                "form-action 'self'",
                " ".join(("frame-ancestors 'self'", *frame_ancestors)),
            )
        ),
        "X-Content-Type-Options": "nosniff",
        # Links carry the ids of runs.
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if not frame_ancestors:
        headers["X-Frame-Options"] = "SAMEORIGIN"  # which has no word for other sites
    # Elsewhere browsers ignore this one, and complain.
    if is_secure or (name is not None and is_loopback(name)):
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return headers


@cache
def _scripts_in_page() -> tuple[str, ...]:
    """What stands for the scripts inside Streamlit's page, so that no others run there."""
    page = (Path(st.__file__).parent / "static" / "index.html").read_bytes()
    digests = (hashlib.sha256(script).digest() for script in SCRIPT_IN_PAGE.findall(page))
    return tuple(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def _is_taken(scope: Scope) -> bool:
    return scope["method"] in METHODS or (scope["method"] == "POST" and path_of(scope) in TAKING_PATHS)


def _is_open(scope: Scope) -> bool:
    path = path_of(scope)
    if scope["type"] == "websocket":
        return path.endswith(f"{CORE}stream")
    _, is_core, rest = path.rpartition(CORE)
    if is_core:
        return rest in OPEN_CORE_PATHS or (rest in LOCAL_CORE_PATHS and is_local(scope))
    return not path.startswith(CLOSED_PATHS)


async def refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a refusal, which a websocket's caller sees as 403; nothing that the caller sent is repeated."""
    LOGGER.warning(f"Refused ({refusal.status}): {refusal.sentence}")
    if scope["type"] == "http":
        await answer(refusal, send)
        return
    await receive()
    await send({"type": "websocket.close", "code": 1008})


async def answer(refusal: Refusal, send: Send) -> None:
    """Send a refusal as an HTTP answer."""
    body = refusal.sentence.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if refusal is WRONG_METHOD:
        headers.append((b"allow", ", ".join(METHODS).encode()))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def host_name(host: str) -> str | None:
    """The name or address in a `Host` header; None when it is neither."""
    try:
        parts = urlsplit(f"//{host}")
        name, _port = parts.hostname, parts.port
    except ValueError:
        return None
    written = host.lower().rpartition(":")[0] if parts.port is not None else host.lower()
    if name is None or not HOST.fullmatch(written):
        return None
    return name.rstrip(".")


def is_local(scope: Scope) -> bool:
    """Whether the caller is on this machine."""
    client = scope.get("client")
    return client is not None and is_loopback(client[0])


def own_names() -> Iterable[str]:
    """What this machine calls itself."""
    name = socket.gethostname().lower().removesuffix(".local")
    return "localhost", name, f"{name}.local"
