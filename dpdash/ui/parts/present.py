"""Presenter mode: one page for a room, in letters that the last row reads. How it looks stands in `frame.css`."""

from typing import Final

import streamlit as st

from dpdash.ui.parts.button import button
from dpdash.ui.session.inputs import PRESENT
from dpdash.ui.session.language import _

LEAVE_KEY: Final = "present_leave"
"""Key of the box around the button while the mode is on: the style sheet and the charts know the mode by it."""


def present_button() -> None:
    """Show the button that shows a page to a room, or leaves that again."""
    is_on = PRESENT.get()
    with st.container(width="content", key=LEAVE_KEY if is_on else "present_enter"):
        button(
            _("Leave the presentation") if is_on else _("Present"),
            "present",
            "close_fullscreen" if is_on else "present_to_all",
            lambda: PRESENT.put(not PRESENT.get()),
            help=_("Back to the page with its settings.")
            if is_on
            else _("Show this page to a room: large letters, charts that fill the screen, nothing else."),
        )
