"""Who asks for a command, which is carried out whole; what is wrong with it is kept for the page to show."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import streamlit as st

from dpdash.core.errors import DpdashError
from dpdash.runs.service import RunSnapshot
from dpdash.web.process import owner
from dpdash.web.streamlit_internals.uncut import Through, uncut

PROBLEM_KEY: Final = "command_problem"


@dataclass(frozen=True)
class Asked:
    """A command on its way."""

    owner: str
    through: Through

    def owns(self, shown: RunSnapshot) -> bool:
        return shown.owner == self.owner

    def attempt(self, command: Callable[[], object]) -> None:
        """Do it, or keep what is wrong with it for the page to show."""
        try:
            command()
        except DpdashError as error:
            problem = error  # the name `error` ends with its clause
            self.through(lambda: st.session_state.__setitem__(PROBLEM_KEY, problem))


@contextmanager
def asking() -> Iterator[Asked]:
    """Carry out a command of this session's browser."""
    with uncut() as through:
        yield Asked(through(owner), through)
