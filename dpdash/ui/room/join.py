"""How a class comes in: the address of this server for its phones, small on the page or as large as the screen."""

import html
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import streamlit as st

from dpdash.core import network
from dpdash.core.places import COMMAND
from dpdash.ui.parts.button import button
from dpdash.ui.parts.qr import qr_html
from dpdash.ui.session.inputs import Input
from dpdash.ui.session.language import _
from dpdash.ui.session.viewer import serves_only_here

IS_LARGE: Final = Input("room_join_large", False)


def show_join() -> None:
    """Show what a phone opens, with a button that fills the screen with it and takes it away again."""
    hosts = () if serves_only_here() else network.reachable(network.interfaces(), network.default_address())
    address = address_for_phones(st.context.url or "", hosts)
    if address is None:
        st.caption(
            _("No phone can open this server. Start it with {command} serve, on a machine in a network.").format(
                command=COMMAND
            )
        )
        return
    is_large = IS_LARGE.get()
    name = "room_join_large" if is_large else "room_join"
    with st.container(horizontal=True, vertical_alignment="center", key=name):
        st.html(qr_html(address), width="content")
        text = html.escape(_("Open on your phone"))
        st.html(
            f"<p class='dpdash-join'>{text}<strong>{html.escape(address)}</strong></p>",
            width="content",
        )
        button(
            _("Make it small") if is_large else _("Fill the screen"),
            "room_join_size",
            "fullscreen_exit" if is_large else "fullscreen",
            lambda: IS_LARGE.put(not is_large),
        )


def address_for_phones(room: str, hosts: Sequence[str]) -> str | None:
    """Where a class opens this server, given where the teacher opened the Room and how the machine is reached.

    The name that the teacher uses is one that works, unless it is the machine's own name for itself.
    """
    page = urlsplit(room)
    host = page.hostname or network.LOOPBACK
    if network.is_loopback(host):
        if not hosts:
            return None
        host = hosts[0]
    port = "" if page.port is None else f":{page.port}"
    path = page.path.removesuffix("/").rpartition("/")[0]
    return f"{page.scheme or 'http'}://{f'[{host}]' if ':' in host else host}{port}{path}"
