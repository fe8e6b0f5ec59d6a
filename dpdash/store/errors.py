"""What can be wrong with the database, in sentences that can be translated."""

import logging
from dataclasses import dataclass
from typing import Final

from dpdash.core.errors import N_, StoreError

_log = logging.getLogger(__name__)

LOCKED: Final = N_(
    "The database {path} is locked by another program. Rows are kept in memory and saved as soon as it is free; "
    "close that program, or set DPDASH_DATABASE_URL to another file."
)
READ_ONLY: Final = N_(
    "The database {path} is read-only, so nothing is saved. Allow writing to the file and to its folder, or set "
    "DPDASH_DATABASE_URL to another file."
)
READ_ONLY_OLD: Final = N_(
    "The database {path} is read-only and of an older dpdash (schema {revision}), so it cannot be read. Allow "
    "writing to the file and to its folder, or copy it to where that is allowed."
)
READ_ONLY_IN_USE: Final = N_(
    "The database {path} is read-only and was copied while it was in use, so it cannot be read without {path}-wal."
    " Copy both files to a folder that can be written."
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
NOT_REACHED: Final = N_(
    "The database {path} cannot be reached. Rows are kept in memory and saved as soon as it can. Check that the "
    "PostgreSQL server runs and has this database, and that DPDASH_DATABASE_URL is right; the log says more."
)
NOT_ALLOWED: Final = N_(
    "The database {path} does not let this user in, or not write. Rows are kept in memory and tried again. Check "
    "the user, the password and the rights, or set DPDASH_DATABASE_URL to another database; the log says more."
)
SERVER_FULL: Final = N_(
    "The disk of the database {path} is full. Rows are kept in memory and saved as soon as there is space: delete "
    "something there, or set DPDASH_DATABASE_URL to another database."
)
LOCKED_THERE: Final = N_(
    "The database {path} is locked by another program. Rows are kept in memory and saved as soon as it is free; "
    "end what locks it, or set DPDASH_DATABASE_URL to another database."
)
NO_DRIVER: Final = N_(
    "A PostgreSQL database needs {driver}, which is not installed. Install it: python -m pip install -r {file}"
)
BAD_URL: Final = N_(
    "DPDASH_DATABASE_URL must name an SQLite file, as in sqlite:///runs.db or sqlite:////data/runs.db, or a "
    "PostgreSQL database, as in postgresql://user@host/dpdash. Received: {received}."
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


def unexpected(error: Exception, name: str) -> StoreError:
    """The sentence for an error that nobody foresaw, which is logged whole."""
    _log.error("Unexpected database error", exc_info=error)
    return StoreError(OTHER, path=name, detail=f"{type(error).__name__}: {error}")
