"""A command of a page: carried out whole, and what is wrong with it is kept for the page to show."""

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec

import streamlit as st

from dpdash.core.errors import DpdashError
from dpdash.web.process import owner
from dpdash.web.streamlit_internals.uncut import uncut
from dpdash.web.teacher import is_teacher

PROBLEM_KEY: Final = "command_problem"
P = ParamSpec("P")


def command(body: Callable[P, None]) -> Callable[P, None]:
    """Statements that no message of the page cuts short; they end where something is wrong."""

    @wraps(body)
    def given(*args: P.args, **kwargs: P.kwargs) -> None:
        with uncut():
            try:
                body(*args, **kwargs)
            except DpdashError as error:
                st.session_state[PROBLEM_KEY] = error

    return given


def teachers_command(body: Callable[P, None]) -> Callable[P, None]:
    """A command that is carried out for a teacher only, whatever sent the session here."""

    @wraps(body)
    def given(*args: P.args, **kwargs: P.kwargs) -> None:
        if is_teacher(owner()):
            body(*args, **kwargs)

    return command(given)
