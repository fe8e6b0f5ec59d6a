"""The reader's language: texts and numbers of this session."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import streamlit as st

from dpdash.core.errors import DpdashError
from dpdash.core.settings import ServerSettings
from dpdash.core.translations import LANGUAGES, PSEUDO, Language, language, negotiate
from dpdash.ui.session.inputs import Input

LANGUAGE: Final = Input("language", "")
"""The code of the reader's language; empty until the first visit has chosen one."""

_spoken: ContextVar[Language | None] = ContextVar("spoken", default=None)


def choose_language() -> None:
    """Take the server's language, or else the browser's, on the first visit; afterwards what the reader chose."""
    if not LANGUAGE.get():
        wanted = ServerSettings().language or st.context.locale
        LANGUAGE.put(PSEUDO if wanted == PSEUDO else negotiate(wanted))


def current() -> Language:
    """The language of this session; English before one is chosen."""
    return _spoken.get() or language(LANGUAGE.get())


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


def languages() -> dict[str, str]:
    """What can be chosen; the language that is spoken, also where it is not in the list."""
    code = current().code
    return {**LANGUAGES} if code in LANGUAGES else {**LANGUAGES, code: _(code)}
