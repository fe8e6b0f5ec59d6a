"""The reader's language: texts and numbers of this session."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import streamlit as st

from dpdash.core.errors import DpdashError
from dpdash.core.settings import ServerSettings
from dpdash.core.translations import ENGLISH, LANGUAGES, PSEUDO, Language, language, negotiate

LANGUAGE_KEY: Final = "language"
KNOWN: Final = frozenset((*LANGUAGES, PSEUDO))

_spoken: ContextVar[Language | None] = ContextVar("spoken", default=None)


def choose_language() -> None:
    """Take the server's language, or else the browser's, on the first visit; afterwards what the reader chose."""
    if LANGUAGE_KEY not in st.session_state:
        wanted = ServerSettings().language or st.context.locale
        st.session_state[LANGUAGE_KEY] = PSEUDO if wanted == PSEUDO else negotiate(wanted)


def current() -> Language:
    """The language of this session; English before one is chosen."""
    return _spoken.get() or language(_chosen())


@contextmanager
def speaking(spoken: Language) -> Iterator[None]:
    """Ask the session no further for its language: a refresh writes some forty texts, and each would ask."""
    token = _spoken.set(spoken)
    try:
        yield
    finally:
        _spoken.reset(token)


def _(message: str) -> str:
    """Translate a text into this session's language."""
    return current().text(message)


def number(value: float, digits: int = 3) -> str:
    """Write a measured number as this session's language does."""
    return current().number(value, digits)


def setting(value: float) -> str:
    """Write a number that a person set, with all of its digits."""
    return current().setting(value)


def sentence(template: str, values: Mapping[str, object]) -> str:
    """Translate a template and put its numbers in."""
    return current().sentence(template, values)


def error_text(error: DpdashError) -> str:
    """Translate an error."""
    return current().error(error)


def language_switch() -> None:
    """Show the control that changes the language; one that is not in the list is shown by its code."""
    chosen = _chosen()
    if st.session_state.get(LANGUAGE_KEY) != chosen:
        st.session_state[LANGUAGE_KEY] = chosen
    names = {**LANGUAGES} if chosen in LANGUAGES else {**LANGUAGES, chosen: _(chosen)}
    st.selectbox(
        _("Language"),
        list(names),
        key=LANGUAGE_KEY,
        persist_state="session",
        format_func=names.__getitem__,
        help=_("Language of the page and of its numbers."),
    )


def _chosen() -> str:
    """The code of this session's language; English where the page has sent one that there is not."""
    chosen = st.session_state.get(LANGUAGE_KEY)
    return chosen if isinstance(chosen, str) and chosen in KNOWN else ENGLISH
