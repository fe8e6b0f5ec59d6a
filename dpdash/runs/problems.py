"""What can be wrong with the database, in sentences that can be translated."""

import errno
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy.exc

from dpdash.errors import N_, StoreError

_log = logging.getLogger(__name__)

LOCKED: Final = N_(
    "The database {path} is locked by another program. Rows are kept in memory and saved as soon as it is free; "
    "close that program, or set DPDASH_DATABASE_URL to another file."
)
READ_ONLY: Final = N_(
    "The database {path} is read-only, so nothing is saved. Allow writing to the file and to its folder, or set "
    "DPDASH_DATABASE_URL to another file."
)
FULL: Final = N_(
    "The disk of the database {path} is full. Rows are kept in memory and saved as soon as there is space: delete "
    "something, or set DPDASH_DATABASE_URL to a file on another disk."
)
UNWRITABLE: Final = N_(
    "The database {path} cannot be read or written (disk error). Rows are kept in memory and tried again; check "
    "the disk, or set DPDASH_DATABASE_URL to a file on another one."
)
CORRUPT: Final = N_(
    "{path} is damaged or is not a database. Move it away, and a new one is made, or set DPDASH_DATABASE_URL to "
    "another file."
)
NEWER: Final = N_(
    "The database {path} was written by a newer dpdash (schema {revision}). Update dpdash, or set "
    "DPDASH_DATABASE_URL to another file."
)
FOREIGN: Final = N_(
    "{path} is another program's database, so it is left alone. Set DPDASH_DATABASE_URL to another file."
)
NO_FILE: Final = N_(
    "The database {path} cannot be opened. Check that its folder exists or can be made and that it is not itself "
    "a folder, or set DPDASH_DATABASE_URL to another file."
)
MOVED: Final = N_(
    "The database {path} was moved, deleted or replaced while it was in use, so new rows are not saved. Put it "
    "back, or start dpdash again to make a new one."
)
BAD_URL: Final = N_(
    "DPDASH_DATABASE_URL must name an SQLite file, as in sqlite:///runs.db or sqlite:////data/runs.db. "
    "Received: {received}."
)
INCOMPLETE: Final = N_(
    "The database could not keep up, so this run is saved only up to epoch {num_epochs}. Its curve stays here "
    "until the server ends."
)
OTHER: Final = N_(
    "The database {path} cannot be used ({detail}). Set DPDASH_DATABASE_URL to another file, or report this."
)
NO_DATABASE: Final = N_(
    "This process uses no database, so runs are not saved. Start it with DPDASH_DATABASE_URL set."
)

_SENTENCE_OF_CODE: Final[dict[int, str]] = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_PROTOCOL: LOCKED,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_IOERR: UNWRITABLE,
    sqlite3.SQLITE_CORRUPT: CORRUPT,
    sqlite3.SQLITE_NOTADB: CORRUPT,
    sqlite3.SQLITE_CANTOPEN: NO_FILE,
}
PRIMARY_CODE_MASK: Final = 0xFF
"""SQLite's extended codes carry the primary one in their lowest byte."""


@dataclass(frozen=True)
class StoreHealth:
    """Whether rows are being saved and, if not, why."""

    ok: bool
    problem: StoreError | None


HEALTHY: Final = StoreHealth(ok=True, problem=None)


def unhealthy(problem: StoreError) -> StoreHealth:
    """The health of a store with a problem."""
    return StoreHealth(ok=False, problem=problem)


def newest(known: StoreError | None, problem: StoreError) -> StoreError:
    """The problem to tell: the one known already if it says the same, for pages show a new one anew."""
    return known if known is not None and str(known) == str(problem) else problem


def store_error(error: Exception, path: Path) -> StoreError:
    """The sentence for an error of SQLite or of the operating system."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, sqlalchemy.exc.DBAPIError) and isinstance(error.orig, Exception):
        error = error.orig
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE_MASK
        # SQLite keeps two files beside a database in WAL mode, and says no more than that it could not.
        if code == sqlite3.SQLITE_CANTOPEN and path.parent.is_dir() and not os.access(path.parent, os.W_OK):
            return StoreError(READ_ONLY, path=path)
        if code in _SENTENCE_OF_CODE:
            return StoreError(_SENTENCE_OF_CODE[code], path=path)
    if isinstance(error, TimeoutError):
        return StoreError(LOCKED, path=path)
    if isinstance(error, OSError):
        return StoreError(READ_ONLY if _forbids_writing(error) else NO_FILE, path=path)
    _log.error("Unexpected database error", exc_info=error)
    return StoreError(OTHER, path=path, detail=f"{type(error).__name__}: {error}")


def _forbids_writing(error: OSError) -> bool:
    return isinstance(error, PermissionError) or error.errno == errno.EROFS


@contextmanager
def told_as_store_error(path: Path) -> Iterator[None]:
    """Let nothing but a `StoreError` out.

    Raises:
        StoreError: with a sentence for whatever went wrong inside.
    """
    try:
        yield
    except Exception as error:
        raise store_error(error, path) from error
