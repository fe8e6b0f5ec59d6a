"""Runs in a PostgreSQL database, which servers on several machines may share (ADR 0018).

Who lives is told by advisory locks of a session, which the server lets go of when the session ends, however it
does: https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

import hashlib
import json
import logging
import math
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import sqlalchemy as sa

from dpdash.core.errors import StoreError
from dpdash.core.extras import EXTRAS_FILE, is_installed
from dpdash.store.database import BUSY_SECONDS, MOST_CONNECTIONS, Database, cause_of
from dpdash.store.errors import (
    LOCKED_THERE,
    NO_DRIVER,
    NOT_ALLOWED,
    NOT_REACHED,
    SERVER_FULL,
    unexpected,
)
from dpdash.store.schema import REVISION, migrate, revision

DRIVER: Final = "psycopg"
CONNECT_SECONDS: Final = 3
"""For a server that does not answer; one that refuses does so at once."""
UNANSWERED_SECONDS: Final = 10
"""Longest wait for a server to take what was sent to it."""
SILENT_SECONDS: Final = 30
"""After so long the server asks whether a machine that says nothing is still there."""
POOL_SIZE: Final = 5
DEFAULTS: Final = {
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": 1000 * UNANSWERED_SECONDS,
    "application_name": "dpdash",
}
"""Of a connection, unless the URL says otherwise."""
WRITERS: Final = (0x64706461, 1)
"""What a transaction that writes locks: two numbers of this program's own, "dpda" and 1."""
KEY_BYTES: Final = 8

_SENTENCE_OF_STATE: Final = {
    "08": NOT_REACHED,  # connection exceptions
    "25006": NOT_ALLOWED,  # the server, or this user, may only read
    "28": NOT_ALLOWED,  # who connects is not let in
    "3D": NOT_REACHED,  # there is no such database
    "3F": NOT_ALLOWED,  # there is no schema to make tables in
    "42501": NOT_ALLOWED,
    "53100": SERVER_FULL,
    "53": NOT_REACHED,  # too many connections, no memory
    "55P03": LOCKED_THERE,
    "57": NOT_REACHED,  # the server is being shut down or started
}
"""By the beginning of the state: https://www.postgresql.org/docs/current/errcodes-appendix.html"""

_log = logging.getLogger(__name__)


class PostgresqlDatabase(Database):
    """A database of a PostgreSQL server.

    Raises:
        StoreError: when the driver is not installed.
    """

    def __init__(self, url: sa.URL) -> None:
        if not is_installed(DRIVER):
            raise StoreError(NO_DRIVER, driver=DRIVER, file=EXTRAS_FILE)
        engine = _connected(url.set(drivername=f"postgresql+{DRIVER}"))
        name = sa.URL.create("postgresql", host=url.host, port=url.port, database=url.database)
        super().__init__(name.render_as_string(), engine, AdvisoryLocks(engine))

    def prepare(self) -> None:
        with self.engine.connect() as connection:
            found = revision(connection, self.name)
        if found != REVISION:
            # The lock of who writes is that of who migrates: whoever waited finds it done.
            with self.writing.begin() as connection:
                migrate(connection, self.name)

    def require_same(self) -> None:
        """Nothing can be put in its place while somebody is connected."""

    def sentence_for(self, error: Exception) -> StoreError:
        cause = cause_of(error)
        state = getattr(cause, "sqlstate", None) or ""
        sentences = (_SENTENCE_OF_STATE.get(state[:length]) for length in (5, 2))
        sentence = next(filter(None, sentences), None)
        if sentence is None and isinstance(error, sa.exc.OperationalError) and not state:
            # What fails before a session begins has no state.
            sentence = NOT_REACHED
        if sentence is None and isinstance(error, sa.exc.TimeoutError):
            sentence = LOCKED_THERE
        if sentence is None:
            return unexpected(error, self.name)
        # What the server says may name users and hosts, which is nothing for whoever looks at the page.
        _log.warning("PostgreSQL: %s", cause)
        return StoreError(sentence, path=self.name)


class AdvisoryLocks:
    """Locks of one session that stays open; safe for threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._session: sa.Connection | None = None
        self._held: set[str] = set()
        self._access = threading.Lock()

    def hold(self, name: str) -> bool:
        with self._access:
            # A session is given a lock again that it has, and would have to let go of it as often.
            is_new = name not in self._held and self._takes(name)
            if is_new:
                self._held.add(name)
            return is_new

    def let_go(self, name: str, *, for_good: bool = False) -> None:
        with self._access:
            if name not in self._held:
                return
            self._held.remove(name)
            # A session that is gone has let go of it already.
            with suppress(sa.exc.DBAPIError):
                self._open().execute(sa.select(sa.func.pg_advisory_unlock(_key(name))))

    def free(self, connection: sa.Connection, names: Sequence[str]) -> list[str]:
        held = set(connection.scalars(_HELD))
        return [name for name in names if _key(name) not in held]

    def forget(self, names: Iterable[str]) -> None:
        """Nothing is left of a lock that nobody holds."""

    def renew(self) -> bool:
        with self._access:
            if not self._held or (self._session is not None and self._lives(self._session)):
                return False
            self._drop()
            self._held = {name for name in self._held if self._takes(name)}
            return True

    def close(self) -> None:
        with self._access:
            self._held.clear()
            # A session's own end lets go of its locks only once the server has noticed it, which may be after the
            # next process has asked.
            if self._session is not None:
                with suppress(sa.exc.DBAPIError):
                    self._session.execute(sa.select(sa.func.pg_advisory_unlock_all()))
            self._drop()

    def _takes(self, name: str) -> bool:
        try:
            return bool(self._open().scalar(sa.select(sa.func.pg_try_advisory_lock(_key(name)))))
        except sa.exc.DBAPIError:
            # The next one opens another session; one that is dead, or has some of the locks, would pass for whole.
            self._drop()
            raise

    def _open(self) -> sa.Connection:
        if self._session is None:
            session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            # Out of the pool for good: what a pool takes back, it may hand to somebody else with all its locks.
            session.detach()
            self._session = session
        return self._session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(sa.exc.DBAPIError):
                session.close()

    def _lives(self, session: sa.Connection) -> bool:
        try:
            session.scalar(sa.select(1))
        except sa.exc.DBAPIError:
            return False
        return True


_HELD: Final = sa.text(
    "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 "
    "AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
"""The keys of one number; those of two numbers have another `objsubid`."""


def _key(name: str) -> int:
    digest = hashlib.sha256(name.encode()).digest()[:KEY_BYTES]
    return int.from_bytes(digest, "big", signed=True)


def _connected(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(
        url,
        connect_args=DEFAULTS | dict(url.query),
        pool_size=POOL_SIZE,
        max_overflow=MOST_CONNECTIONS - POOL_SIZE,
        # A server that was started anew meanwhile costs nobody an error.
        pool_pre_ping=True,
        json_serializer=_json,
    )
    sa.event.listen(engine, "connect", _set_limits)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _set_limits(connection: Any, _record: object) -> None:
    connection.execute(f"SET lock_timeout = {round(1000 * BUSY_SECONDS)}")
    connection.execute(f"SET tcp_keepalives_idle = {SILENT_SECONDS}")
    connection.commit()


def _begin(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("immediate", False):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(*WRITERS)))


def _json(value: object) -> str:
    """JSON as the server takes it: without the numbers that JSON does not have, which are read back from text."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value
