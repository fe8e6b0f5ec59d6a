"""Commands that are carried out whole.

Streamlit answers a page's next message as soon as the session is read or written: it raises there, in callbacks
too. A click would be swallowed, or a run started that no page shows. ADR 0019 says what is used here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from streamlit.runtime.scriptrunner import RerunException

T = TypeVar("T")


class Through(Protocol):
    """Carries out a read or write of the session, which must do no harm when it is done twice."""

    def __call__(self, access: Callable[[], T]) -> T: ...


@contextmanager
def uncut() -> Iterator[Through]:
    """Let the page's next message wait until the end of the block."""
    messages: list[RerunException] = []

    def through(access: Callable[[], T]) -> T:
        while True:
            try:
                return access()
            except RerunException as message:
                messages.append(message)

    yield through
    if messages:
        raise messages[-1]
