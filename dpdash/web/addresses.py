"""Where this server is, and where it serves what is ours.

A proxy may put it below a path of its own, with `server.baseUrlPath` or without a word. So a page gets addresses
from its own on, as Streamlit's document has them, and a route begins with the base.
"""

from functools import cache

import streamlit as st
from starlette.types import Scope

from dpdash.core import network


@cache
def base_path() -> str:
    """What every path of this server begins with: nothing, or such as `/lab`.

    Each request asks several times, and Streamlit takes microseconds to say what is settled at its start.
    """
    path = st.get_option("server.baseUrlPath").strip("/")
    return f"/{path}" if path else ""


def in_page(path: str) -> str:
    """The address that a page has for a path below the base: all pages stand side by side there."""
    return f".{path}"


def route(path: str) -> str:
    """What the server is asked for a path below the base."""
    return f"{base_path()}{path}"


def path_of(scope: Scope) -> str:
    """The path of a request below the base, such as `/` for the first page; empty for one elsewhere."""
    path: str = scope["path"]
    base = base_path()
    return path.removeprefix(base) if path.startswith(f"{base}/") else ""


def own_url() -> str:
    """The first page, as a browser on this machine opens it."""
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    host = st.get_option("server.address")
    if not host or host in network.EVERYWHERE:
        host = network.LOOPBACK
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{st.get_option('server.port')}{base_path()}"
