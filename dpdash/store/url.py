"""Which database a URL names."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from dpdash.core.errors import StoreError
from dpdash.store.database import Database
from dpdash.store.errors import BAD_URL
from dpdash.store.postgresql import PostgresqlDatabase
from dpdash.store.sqlite import SqliteDatabase

POSTGRESQL: Final = ("postgresql", "postgres")
"""The second is what many hosts hand out."""


def database_at(url: str) -> Database:
    """The database that a URL names, not opened yet.

    Raises:
        StoreError: when it names none of a kind that can hold runs, or the driver for it is not installed.
    """
    parsed = _parsed(url)
    path = _sqlite_path(parsed)
    if path is not None:
        return SqliteDatabase(path)
    if parsed.drivername.split("+")[0] in POSTGRESQL and parsed.database:
        return PostgresqlDatabase(parsed)
    raise StoreError(BAD_URL, received=parsed.render_as_string(hide_password=True))


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


def _sqlite_path(parsed: sa.URL) -> Path | None:
    if parsed.drivername.split("+")[0] != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database)).absolute()
