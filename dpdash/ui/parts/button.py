"""A button that gives a command."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from dpdash.ui.session.language import _
from dpdash.web.document import SHORTCUTS
from dpdash.web.streamlit_internals.fragment import is_refresh


def button(
    label: str,
    key: str,
    icon: str,
    command: Callable[[], None],
    *,
    disabled: bool = False,
    is_refreshed: bool = False,
    **options: Any,
) -> None:
    """Show a button whose command is given once for each click, and never while it is disabled.

    `is_refreshed` where it stands in the part of the page that is drawn again, whose refresh a click is.
    """
    chord = SHORTCUTS.get(key, "")
    if chord:
        options["help"] = _("{help} ({chord})").format(help=options.get("help", label), chord=chord)
    st.button(
        label,
        key=key,
        icon=f":material/{icon}:",
        # A browser can be made to send a click on a button that is disabled.
        on_click=None if disabled else command if is_refreshed else once(command),
        disabled=disabled,
        **options,
    )


def once(command: Callable[[], None]) -> Callable[[], None]:
    """The command of what stands outside the part that is drawn again, given once for each click.

    When the timer of that part goes off between a click and its sending, the browser sends the click with the
    refresh, and then again by itself: a run would be paused and go on at once.
    """

    def given() -> None:
        if not is_refresh():
            command()

    return given
