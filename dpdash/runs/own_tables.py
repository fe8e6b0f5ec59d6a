"""Own data that people have brought: at hand while it is used, in the database as long as a run has it."""

from contextlib import suppress

from dpdash.core.config import RunConfig
from dpdash.core.errors import StoreError
from dpdash.core.own_data import Table
from dpdash.problem import tables
from dpdash.runs.read_cache import ReadCache
from dpdash.store.data_tables import NoRoomError


class OwnTables:
    """What people have brought to this process, or to another one with the same database; safe for threads."""

    def __init__(self, read_cache: ReadCache) -> None:
        self._read_cache = read_cache
        tables.look_in(self._find)

    def take(self, table: Table) -> None:
        """Keep a table for the runs to come; where there is no database, only as long as there is room at hand.

        Raises:
            NoRoomError: when there is no room in the database.
        """
        try:
            self._read_cache.data_tables.put(table)
        except NoRoomError:
            raise
        except StoreError:
            pass
        tables.keep(table)

    def require(self, config: RunConfig) -> None:
        """See to it that a run which is about to start has its data, and keeps it.

        Raises:
            NoRoomError: when the database has no room for it.
            OwnDataError: when it is not there any more.
        """
        table = tables.of(config)
        if table is not None:
            self.take(table)

    def close(self) -> None:
        """Look no more into the database."""
        tables.look_no_more_in(self._find)

    def _find(self, digest: str) -> Table | None:
        with suppress(StoreError):
            return self._read_cache.data_tables.find(digest)
        return None
