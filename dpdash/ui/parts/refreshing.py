"""What changes by itself: a part of a page is drawn again on a timer."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import streamlit as st

from dpdash.ui.session.language import current, speaking
from dpdash.web.streamlit_internals.together import together

T = TypeVar("T")


def refreshing(
    look: Callable[[], T],
    draw: Callable[[T], None],
    fingerprint: Callable[[T], object],
    drawn: object,
    every: float | None,
) -> None:
    """Draw what a look at it finds, anew `every` so many seconds, or only now where that is None.

    `drawn` is the fingerprint of what the rest of the page has drawn; when it changes, the page is run again.
    """

    # Streamlit knows a fragment by its name and place alone: two pages must not share one.
    @wraps(fingerprint)
    def refresh() -> None:
        seen = look()
        if fingerprint(seen) != drawn:
            st.rerun()
        with speaking(current()), together():
            draw(seen)

    st.fragment(refresh, run_every=every)()


def nothing(_seen: object) -> None:
    """Draw nothing: the page only looks whether it is to be run again."""
