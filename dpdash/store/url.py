"""Which database a URL names."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from dpdash.core.errors import StoreError
from dpdash.store.database import Database
from dpdash.store.errors import BAD_URL
from dpdash.store.postgresql import PostgresqlDatabase
from dpdash.store.sqlite import SqliteDatabase


def database_at(url: str) -> Database:
    """The database that a URL names, not opened yet.

    Raises:
        StoreError: when it names none of a kind that can hold runs, or the driver for it is not installed.
    """
    parsed = _parsed(url)
    kind = DATABASES.get(_kind(parsed))
    database = kind(parsed) if kind is not None else None
    if database is None:
        raise StoreError(BAD_URL, received=parsed.render_as_string(hide_password=True))
    return database


def sqlite_path(url: str) -> Path | None:
    """The SQLite file that a URL names; None where it names something else."""
    try:
        return _sqlite_path(_parsed(url))
    except StoreError:
        return None


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except ArgumentError:
        raise StoreError(BAD_URL, received=url) from None


def _kind(parsed: sa.URL) -> str:
    """What the URL begins with, without the driver's name."""
    return parsed.drivername.split("+")[0]


def _sqlite_path(parsed: sa.URL) -> Path | None:
    if _kind(parsed) != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database)).absolute()


def _sqlite(parsed: sa.URL) -> Database | None:
    path = _sqlite_path(parsed)
    return None if path is None else SqliteDatabase(path)


def _postgresql(parsed: sa.URL) -> Database | None:
    return PostgresqlDatabase(parsed) if parsed.database else None


DATABASES: Final[Mapping[str, Callable[[sa.URL], Database | None]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "postgres": _postgresql,  # what many hosts hand out
}
"""A new one is one line here; None from it where the URL names no database of that kind."""
