"""What differs from one database to another: how it is opened and shared, and what is said of its errors."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import sqlalchemy as sa

from dpdash.core.errors import StoreError

BUSY_SECONDS: Final = 1.0
"""Longest wait for another program's lock in one attempt; the writer then tries again with what came meanwhile."""
MOST_CONNECTIONS: Final = 15
"""At the same time; one more waits for one that is handed back."""


class ProcessLocks(Protocol):
    """Named locks that are free again as soon as the process that holds them is gone, however it ended."""

    def hold(self, name: str) -> bool:
        """Take a lock and keep it; False where it is held, by another process or by this one."""

    def let_go(self, name: str, *, for_good: bool = False) -> None:
        """Let others take it; `for_good` where nobody will ever again. Nothing happens to one that is not held."""

    def free(self, connection: sa.Connection, names: Sequence[str]) -> list[str]:
        """Those of the locks that no process holds."""

    def forget(self, names: Iterable[str]) -> None:
        """Leave nothing behind of the locks of processes that are gone."""

    def renew(self) -> bool:
        """Take again what was lost through no fault of this process; whether anything was."""

    def close(self) -> None:
        """Let go of everything."""


class Database(ABC):
    """A database that holds runs; it is not opened before it is used."""

    def __init__(self, name: str, engine: sa.Engine, locks: ProcessLocks) -> None:
        """`name` is what sentences call it: no secret is in it."""
        self.name = name
        self.engine = engine
        self.locks = locks

    @property
    def writing(self) -> sa.Engine:
        """The same engine with transactions that let no other writer in from their beginning on."""
        return self.engine.execution_options(immediate=True)

    @property
    def reading(self) -> sa.Engine:
        """The engine for looking up."""
        return self.engine

    def open_for_reading(self) -> bool:
        """Where nothing can be written, make it possible to look up at least; whether it is.

        Raises:
            StoreError: with the reason why this database cannot be read either.
        """
        return False

    @abstractmethod
    def prepare(self) -> None:
        """Make what is not there yet, and bring the tables to the newest schema.

        Raises:
            StoreError: when a newer dpdash or another program wrote it.
        """

    @abstractmethod
    def require_same(self) -> None:
        """Make sure that this is still the database that was prepared.

        Raises:
            StoreError: when another one is in its place.
        """

    @abstractmethod
    def sentence_for(self, error: Exception) -> StoreError:
        """What a person is told of an error of the database or of the operating system."""

    @contextmanager
    def told(self) -> Iterator[None]:
        """Let nothing but a `StoreError` out.

        Raises:
            StoreError: with a sentence for whatever went wrong inside.
        """
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            raise self.sentence_for(error) from error


def cause_of(error: Exception) -> Exception:
    """What the database's own driver raised, where it did."""
    if isinstance(error, sa.exc.DBAPIError) and isinstance(error.orig, Exception):
        return error.orig
    return error
