"""What the web server does besides Streamlit: static files, the owner's cookie, warming up and shutting down."""

import asyncio
import gc
import os
import re
import secrets
import socket
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psutil
import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import cookie_parser
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dpdash.core.settings import ServerSettings
from dpdash.web.addresses import own_url
from dpdash.web.assets import ASSET_NAMES, ONE_YEAR, StreamlitsAssets, asset, asset_routes
from dpdash.web.document import PageDocument
from dpdash.web.ending import Ending
from dpdash.web.page_guard import PageGuard
from dpdash.web.request_guard import RequestGuard, SecurityHeaders
from dpdash.web.streamlit_internals.refusals import quieten, shorten_forged
from dpdash.web.streamlit_internals.session_once import keep_sessions
from dpdash.web.streamlit_internals.turned_pages import keep_pages
from dpdash.web.streamlit_internals.uncut import hear_out
from dpdash.web.tickets import OWNER_COOKIE
from dpdash.web.trainers import training_processes
from dpdash.web.transfers import transfer_routes

OWNER_BYTES: Final = 24
OWNER: Final = re.compile(rf"[A-Za-z0-9_-]{{{len(secrets.token_urlsafe(OWNER_BYTES))}}}")
LOUD: Final = (
    "uvicorn.error",
    "dpdash.web.request_guard",
    "streamlit.runtime.app_session",
    "streamlit.runtime.scriptrunner.script_runner",
)
"""Loggers that write at least a line for whatever a caller sends."""
SHUTDOWN_SECONDS: Final = 3.0
STUDY_END_SECONDS: Final = 0.5
SWEEP_END_SECONDS: Final = 0.5
LONGEST_START_SECONDS: Final = 15.0
"""So long the first visitor waits for the processes that train; runs that start before train in this one."""
LONGEST_END_SECONDS: Final = 4.0
"""Whoever ends a server waits for some five seconds and then kills it."""


class OwnerCookie:
    """Names the browser with its first page.

    A script cannot read the cookie, and no other site can make the browser send it with a request of its own. What
    was not made here is replaced: a name that someone thought up, someone else may think up too.
    """

    def __init__(self, app: ASGIApp, is_framed: bool = False) -> None:
        """Where the dashboard `is_framed` by another site, a browser sends the cookie in that site's frame too."""
        self.app = app
        self._is_framed = is_framed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_named(scope):
            await self.app(scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(scope, message):
                MutableHeaders(scope=message).append("set-cookie", self._new_owner(scope))
            await send(message)

        await self.app(scope, receive, send_with_cookie)

    def _new_owner(self, scope: Scope) -> str:
        cookie = f"{OWNER_COOKIE}={secrets.token_urlsafe(OWNER_BYTES)}; Path=/; Max-Age={ONE_YEAR}; HttpOnly"
        if self._is_framed:
            # One for each site with a frame (CHIPS): browsers send no other to a page in a foreign frame.
            return f"{cookie}; SameSite=None; Secure; Partitioned"
        return f"{cookie}; SameSite=Lax{'; Secure' if scope['scheme'] == 'https' else ''}"


def _is_named(scope: Scope) -> bool:
    cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
    return OWNER.fullmatch(cookies.get(OWNER_COOKIE, "")) is not None


def _is_page(scope: Scope, message: Message) -> bool:
    """Whether a response is an HTML page, or tells the browser to show the one that it has kept."""
    if message["status"] == 304:
        return "text/html" in Headers(scope=scope).get("accept", "")
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Pay once, before the first visitor comes, for what would make that visitor wait; end the runs at the end."""
    quieten(*LOUD)
    shorten_forged()
    keep_sessions()
    keep_pages()
    hear_out()
    send_at_once()
    ending = Ending(shut_down, LONGEST_END_SECONDS)
    ending.watch_signals()
    await asyncio.to_thread(warm_up)
    await asyncio.to_thread(open_browser)
    yield
    await ending.finish()


def send_at_once() -> None:
    """Let small answers go without waiting until the last one is acknowledged (Nagle's algorithm, RFC 896).

    Streamlit binds its socket in a way that keeps asyncio from doing this. Connections inherit it from the socket
    that listens. A page is some hundred small files, each of which would wait 40 ms.
    """
    try:
        connections = psutil.Process().net_connections(kind="tcp")
    except psutil.Error:
        return  # slower, and no reason not to serve
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN:
            with socket.socket(fileno=os.dup(connection.fd)) as listening:
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def warm_up() -> None:
    """Import what a first page needs, train one epoch, and make the service.

    What stands then will stand for good: the collector need not walk through it again.
    """
    processes = training_processes()
    processes.start()  # first, for they import the same meanwhile
    # Here and not above: torch takes seconds to import, and this module is read by whoever needs one of its names.
    from dpdash.core.config import RunConfig
    from dpdash.problem.preview import preview
    from dpdash.training import catalog
    from dpdash.web.process import run_service, sweep_service

    for name in ASSET_NAMES:
        asset(name)
    preview(RunConfig())
    catalog.warm_up()
    run_service()
    processes.wait_until_ready(LONGEST_START_SECONDS)
    # What a server that ended has left to this one; its trials then train in those processes.
    sweep_service().continue_interrupted()
    gc.collect()
    gc.freeze()


def open_browser() -> None:
    """Show the dashboard to whoever has started it in front of a screen; Streamlit leaves that to an app.

    The server listens by now, and answers as soon as its start has ended.
    """
    if not st.get_option("server.headless"):
        webbrowser.open(own_url())


def shut_down() -> None:
    """Stop the trainers and store what they have done."""
    from dpdash.web.process import run_service, scaling_service, sweep_service

    # First, for their ends are kept in the store that the runs close.
    scaling_service().close(timeout=STUDY_END_SECONDS)
    sweep_service().close(timeout=SWEEP_END_SECONDS)
    run_service().shutdown(timeout=SHUTDOWN_SECONDS)
    training_processes().close()


def routes() -> tuple[Route, ...]:
    """What is served beside Streamlit's pages."""
    return (*asset_routes(), *transfer_routes())


def middleware(settings: ServerSettings) -> tuple[Middleware, ...]:
    """What stands before every request, the first that sees it first."""
    return (
        Middleware(SecurityHeaders, frame_ancestors=settings.frame_ancestors),
        Middleware(RequestGuard, allowed_hosts=settings.allowed_hosts),
        Middleware(PageGuard, max_pages=settings.max_pages),
        Middleware(OwnerCookie, is_framed=bool(settings.frame_ancestors)),
        Middleware(StreamlitsAssets),
        Middleware(PageDocument, settings=settings),
    )
