"""Short names for browsers, which tell them apart and say nothing about them."""

import hashlib
import html
import threading
from dataclasses import dataclass
from typing import Final

import streamlit as st

from dpdash.core.errors import N_
from dpdash.ui.session.language import _, number

COLOUR_NAMES: Final = {
    "amber": N_("amber {number}"),
    "blue": N_("blue {number}"),
    "coral": N_("coral {number}"),
    "grey": N_("grey {number}"),
    "pink": N_("pink {number}"),
    "sky": N_("sky {number}"),
    "teal": N_("teal {number}"),
    "violet": N_("violet {number}"),
}
"""Each colour's texts; the colours themselves stand in `frame.css`."""
MAX_BROWSERS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Nickname:
    """A colour, and which of the browsers of this colour it is, counted from 1."""

    colour: str
    number: int


class Nicknames:
    """Gives each browser a name of its own, at first sight and until the server ends; safe for threads.

    The colour follows from the browser's digest, in a way that does not lead back to it. Of very many browsers,
    those seen first are forgotten first.
    """

    def __init__(self) -> None:
        self._names: dict[str, Nickname] = {}
        self._num_given = dict.fromkeys(COLOUR_NAMES, 0)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._names)

    def of(self, owner: str) -> Nickname:
        """The name of a browser."""
        with self._lock:
            known = self._names.get(owner)
            if known is not None:
                return known
            colour = _colour(owner)
            self._num_given[colour] += 1
            name = self._names[owner] = Nickname(colour, self._num_given[colour])
            if len(self._names) > MAX_BROWSERS:
                del self._names[next(iter(self._names))]
            return name


@st.cache_resource(show_spinner=False)
def nicknames() -> Nicknames:
    """The names that the browsers of this process have."""
    return Nicknames()


def nickname_text(name: Nickname) -> str:
    """A name in the reader's language."""
    return _(COLOUR_NAMES[name.colour]).format(number=number(name.number))


def nickname_html(name: Nickname, text: str) -> str:
    """A text beside the colour of a name."""
    return f"<strong class='dpdash-who dpdash-{name.colour}'>{html.escape(text)}</strong>"


def _colour(owner: str) -> str:
    colours = tuple(COLOUR_NAMES)
    digest = hashlib.sha256(f"colour of {owner}".encode()).digest()
    return colours[digest[0] % len(colours)]
