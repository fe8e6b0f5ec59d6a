"""How the parts of the store get at its connection; both ways raise `StoreError` when it cannot be used."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

import sqlalchemy as sa

T = TypeVar("T")

Reading = Callable[[], AbstractContextManager[sa.Connection]]
"""A connection for looking up."""


class Write(Protocol):
    """Does some work in a transaction of its own, and returns what comes of it."""

    def __call__(self, work: Callable[[sa.Connection], T]) -> T: ...
