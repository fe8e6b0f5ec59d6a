"""Where this server is and where it serves what is ours.

A proxy may put it below a path of its own, with `server.baseUrlPath` or without a word. So a page gets addresses
that begin where the dashboard does (`OURS`, without a slash before it); the browser alone knows where that is.
"""

from typing import Final

import streamlit as st
from starlette.types import Scope

from dpdash.core import network

OURS: Final = "dpdash/"
"""Begins every address of ours, as a page has it: relative to the dashboard's first page."""


def base_path() -> str:
    """What every path of this server begins with: empty, or such as `/lab`."""
    path = st.get_option("server.baseUrlPath").strip("/")
    return f"/{path}" if path else ""


def route(address: str) -> str:
    """The path under which the server is asked for an address."""
    return f"{base_path()}/{address}"


def path_of(scope: Scope) -> str:
    """The path of a request below the base, such as `/` for the first page; empty for one that is not below it."""
    path: str = scope["path"]
    base = base_path()
    return path.removeprefix(base) if path.startswith(f"{base}/") else ""


def own_url() -> str:
    """The first page, as a browser on this machine opens it."""
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    host = st.get_option("server.address") or network.LOOPBACK
    if host in network.EVERYWHERE:
        host = network.LOOPBACK
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{st.get_option('server.port')}{base_path()}"
