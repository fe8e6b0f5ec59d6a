"""Runs in one SQLite file, which several processes of a machine may share."""

import errno
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from filelock import FileLock, Timeout

from dpdash.core.errors import StoreError
from dpdash.store.database import BUSY_SECONDS, MOST_CONNECTIONS, Database, cause_of
from dpdash.store.errors import (
    CORRUPT,
    FULL,
    LOCKED,
    MOVED,
    NO_FILE,
    READ_ONLY,
    READ_ONLY_IN_USE,
    READ_ONLY_OLD,
    UNWRITABLE,
    unexpected,
)
from dpdash.store.schema import REVISION, migrate, revision

MIGRATION_WAIT_SECONDS: Final = 10.0
PRIMARY_CODE_MASK: Final = 0xFF
"""SQLite's extended codes carry the primary one in their lowest byte."""

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


class SqliteDatabase(Database):
    """An SQLite file in WAL mode, whose transactions are SQLite's own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_folder = path.with_name(path.name + "-instances")
        self._inode: tuple[int, int] | None = None
        self._as_it_is: sa.Engine | None = None
        """For a file of which SQLite must write nothing, not even what it keeps beside it."""
        super().__init__(str(path), _connected(path), FileLocks(self._lock_folder))

    @property
    def reading(self) -> sa.Engine:
        return self._as_it_is or self.engine

    def open_for_reading(self) -> bool:
        self._as_it_is = None
        if _inode(self.path) is None:
            return False
        log = self.path.with_name(self.path.name + "-wal")
        try:
            found = self._revision()
        except sa.exc.OperationalError:
            # What stands in the log is not in the file yet, and a file that is taken as it is has no log.
            if log.exists() and log.stat().st_size:
                raise StoreError(READ_ONLY_IN_USE, path=self.name) from None
            self._as_it_is = _connected(self.path, "mode=ro&immutable=1")
            found = self._revision()
        if found != REVISION:
            raise StoreError(READ_ONLY_OLD, path=self.name, revision=found)
        self._inode = _inode(self.path)
        return True

    def prepare(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._revision() != REVISION:
            self._lock_folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._lock_folder / "migration.lock", timeout=MIGRATION_WAIT_SECONDS):
                if self._revision() != REVISION:
                    self._migrate()
        self._inode = _inode(self.path)
        self._as_it_is = None

    def require_same(self) -> None:
        # SQLite would go on writing into a file that has no name any more, and nobody would know. Another
        # connection would make an empty one in its place.
        if _inode(self.path) != self._inode:
            raise StoreError(MOVED, path=self.name)

    def sentence_for(self, error: Exception) -> StoreError:
        cause = cause_of(error)
        if isinstance(cause, sqlite3.Error):
            code = getattr(cause, "sqlite_errorcode", 0) & PRIMARY_CODE_MASK
            # SQLite keeps two files beside a database in WAL mode, and says no more than that it could not.
            folder = self.path.parent
            if code == sqlite3.SQLITE_CANTOPEN and folder.is_dir() and not os.access(folder, os.W_OK):
                return StoreError(READ_ONLY, path=self.name)
            if code in _SENTENCE_OF_CODE:
                return StoreError(_SENTENCE_OF_CODE[code], path=self.name)
        if isinstance(cause, TimeoutError):
            return StoreError(LOCKED, path=self.name)
        if isinstance(cause, OSError):
            return StoreError(READ_ONLY if _forbids_writing(cause) else NO_FILE, path=self.name)
        return unexpected(error, self.name)

    def _revision(self) -> str | None:
        with self.reading.connect() as connection:
            return revision(connection, self.name)

    def _migrate(self) -> None:
        _use_write_ahead_log(self.engine)
        with self.writing.begin() as connection:
            migrate(connection, self.name)


class FileLocks:
    """Each lock is a file that stays locked; the operating system lets go of it with the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, FileLock] = {}

    def hold(self, name: str) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._path(name), thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        self._held[name] = lock
        return True

    def let_go(self, name: str, *, for_good: bool = False) -> None:
        lock = self._held.pop(name, None)
        if lock is None:
            return
        lock.release()
        # Else the file stays: whoever has just opened it would lock one that nobody else sees.
        if for_good:
            self._path(name).unlink(missing_ok=True)

    def free(self, connection: sa.Connection, names: Sequence[str]) -> list[str]:
        return [name for name in names if self._is_free(name)]

    def forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def renew(self) -> bool:
        return False

    def close(self) -> None:
        for name in tuple(self._held):
            self.let_go(name)

    def _is_free(self, name: str) -> bool:
        lock = FileLock(self._path(name))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        lock.release()
        return True

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"


def _connected(path: Path, how: str = "") -> sa.Engine:
    # SQLAlchemy takes a query for SQLite's own where the file is named as a URI.
    file = f"{path.absolute().as_uri()}?{how}&uri=true" if how else str(path)
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=file) if not how else f"sqlite:///{file}",
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
        # What a crowd's readers hand back is closed: three open files each, which nobody would need again.
        pool_size=1,
        max_overflow=MOST_CONNECTIONS - 1,
    )
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    # A power cut may cost the latest commits, never the database; a killed process costs nothing.
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _use_write_ahead_log(engine: sa.Engine) -> None:
    # Outside a transaction, for inside one the journal mode cannot change; the file remembers it.
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _forbids_writing(error: OSError) -> bool:
    return isinstance(error, PermissionError) or error.errno == errno.EROFS
