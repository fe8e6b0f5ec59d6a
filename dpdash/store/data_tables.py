"""Own data in the database: a table is kept once however many runs were trained on it, and goes with the last."""

import time
from typing import Final

import sqlalchemy as sa

from dpdash.core.errors import N_, StoreError
from dpdash.core.own_data import Table
from dpdash.store.access import Reading, Write
from dpdash.store.schema import data_tables, runs

MOST_BYTES: Final = 200 * 10**6
"""Of all tables together, packed."""

FULL: Final = N_(
    "Own data of this server must be at most {limit} MB together, packed. Received: {received} MB. Delete "
    "runs that "
    "were trained on own data; they are gone for good after a day."
)


class NoRoomError(StoreError):
    """The database has as much own data as it may have."""


class DataTables:
    """Tables by their digests; each method raises `StoreError` when the database cannot be used."""

    def __init__(self, write: Write, reading: Reading, most_bytes: int = MOST_BYTES) -> None:
        self._write = write
        self._reading = reading
        self._most_bytes = most_bytes

    def put(self, table: Table) -> None:
        """Keep a table for the runs to come, for a day if there are none; it waits for the disk.

        Raises:
            NoRoomError: when there is no room for it.
        """
        self._write(lambda connection: put_table(connection, table, self._most_bytes))

    def find(self, digest: str) -> Table | None:
        """The table of a digest; None where there is none."""
        with self._reading() as connection:
            packed = connection.scalar(sa.select(data_tables.c.packed).where(data_tables.c.digest == digest))
        return None if packed is None else Table.unpacked(packed)

    def let_go(self, moment: float) -> int:
        """Delete the tables that no run has and that were put before a moment of Unix time; how many."""
        of_a_run = sa.exists().where(runs.c.data_digest == data_tables.c.digest)
        unused = sa.delete(data_tables).where(data_tables.c.used_at < moment, ~of_a_run)
        return self._write(lambda connection: connection.execute(unused).rowcount)


def put_table(connection: sa.Connection, table: Table, most_bytes: int = MOST_BYTES) -> None:
    """See `DataTables.put`."""
    used_now = sa.update(data_tables).where(data_tables.c.digest == table.digest).values(used_at=time.time())
    if connection.execute(used_now).rowcount:
        return
    packed = table.packed()
    kept = (
        connection.scalar(sa.select(sa.func.coalesce(sa.func.sum(sa.func.length(data_tables.c.packed)), 0))) or 0
    )
    if kept + len(packed) > most_bytes:
        raise NoRoomError(FULL, limit=most_bytes // 10**6, received=(kept + len(packed)) // 10**6)
    connection.execute(sa.insert(data_tables).values(digest=table.digest, used_at=time.time(), packed=packed))
