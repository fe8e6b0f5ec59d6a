"""Whose runs a browser sees: its own, or everybody's where the machine is its user's. ADR 0015 says why so."""

import streamlit as st

from dpdash.core.network import is_loopback
from dpdash.store.query import Viewer
from dpdash.web.process import owner
from dpdash.web.request_guard import host_name
from dpdash.web.teacher import is_teacher


def viewer() -> Viewer:
    """Who asks for the list of runs."""
    browser = owner()
    return Viewer(browser, sees_all=is_teacher(browser) or (serves_only_here() and asks_from_here()))


def serves_only_here() -> bool:
    """Whether no other machine can reach this server."""
    address = st.get_option("server.address")
    return isinstance(address, str) and is_loopback(address)


def asks_from_here() -> bool:
    """Whether the page was opened on this machine, under a name that is this machine's alone.

    A proxy on this machine asks from here too, for others; the name is then the one that those others know.
    """
    host = host_name(st.context.headers.get("Host") or "")
    return st.context.ip_address is None and host is not None and is_loopback(host)
