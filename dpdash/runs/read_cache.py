"""What the service knows of the store, and what was read lately.

Runs that this process does not train are read once for all who watch them.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from dpdash.core.errors import StoreError
from dpdash.core.events import EpochBlock
from dpdash.core.history import HistorySnapshot, Row
from dpdash.store.absent import AbsentStore, Store
from dpdash.store.data_tables import DataTables
from dpdash.store.errors import NO_DATABASE, StoreHealth
from dpdash.store.plans import ExchangeTable, StudyTable, SweepTable
from dpdash.store.resuming import Past
from dpdash.store.run_table import RunTable
from dpdash.store.store import RunRecord
from dpdash.store.transfer import RunTransfer

CAPACITY: Final = 16
SHORTEST_AGE_SECONDS: Final = 1.0
AGE_PER_READING: Final = 10.0
"""A run that another process trains, or may let go on, is read again after so many times what reading it took."""
FLUSH_SECONDS: Final = 2.0


@dataclass(frozen=True)
class StoredRun:
    """A run as it was when it was read."""

    record: RunRecord
    history: HistorySnapshot
    host: str | None
    """The machine where another process trains it; None where none does, or its name is not known."""
    valid_until: float | None
    """Seconds of the read_cache's clock; None for a run that nobody can let go on."""


class ReadCache:
    """The store, as all who watch share it; safe for threads."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._recent: OrderedDict[str, StoredRun] = OrderedDict()

    @property
    def health(self) -> StoreHealth:
        """Whether runs are being saved and, if not, why."""
        return self._store.health

    @property
    def has_store(self) -> bool:
        """Whether there is a database that may hold runs, open or not yet."""
        return not isinstance(self._store, AbsentStore)

    @property
    def can_read(self) -> bool:
        """Whether stored runs can be looked up, which a database that cannot be written allows too."""
        return self._store.can_read

    def health_of(self, run_id: str) -> StoreHealth:
        """Whether one run is being saved completely."""
        return self._store.health_of(run_id)

    @property
    def studies(self) -> StudyTable:
        """Where scaling studies are kept."""
        return self._store.studies

    @property
    def exchanges(self) -> ExchangeTable:
        """Where studies of what an exchange costs are kept."""
        return self._store.exchanges

    @property
    def sweeps(self) -> SweepTable:
        """Where sweeps are kept."""
        return self._store.sweeps

    @property
    def transfer(self) -> RunTransfer:
        """Whole runs in the database, also those that were only queued.

        Raises:
            StoreError: when there is no database that is open.
        """
        if not self._store.can_read:
            raise self.health.problem or StoreError(NO_DATABASE)
        self.flush()
        return self._store.transfer

    @property
    def run_table(self) -> RunTable:
        """The list of runs that are stored."""
        return self._store.run_table

    @property
    def data_tables(self) -> DataTables:
        """Own data that is stored."""
        return self._store.data_tables

    def record(self, run_id: str) -> RunRecord | None:
        """What the list of runs shows of one run.

        Raises:
            StoreError: when the database cannot be read.
        """
        return self._store.run(run_id)

    def records(self, limit: int) -> tuple[RunRecord, ...]:
        """The latest stored runs; none when the database cannot be read, which `health` then says."""
        with suppress(StoreError):
            return self._store.runs(limit)
        return ()

    def unsaved(self, run_ids: Iterable[str]) -> frozenset[str]:
        """Those of the runs that the database does not know, or may not know because it cannot be read."""
        wanted = frozenset(run_ids)
        if not wanted:
            return wanted
        with suppress(StoreError):
            return wanted - self._store.known(wanted)
        return wanted

    def run(self, run_id: str) -> StoredRun | None:
        """A stored run with its history, or None when there is none with this id.

        Raises:
            StoreError: when the database cannot be read.
        """
        # Held while reading, so that forty watchers of one run read it once.
        with self._lock:
            found = self._recent.pop(run_id, None)
            if found is None or (found.valid_until is not None and self._clock() >= found.valid_until):
                found = self._read(run_id)
            if found is not None:
                self._recent[run_id] = found
                if len(self._recent) > CAPACITY:
                    self._recent.popitem(last=False)
            return found

    def past(self, run_id: str) -> Past | None:
        """A run that has ended, as it was where it can go on; None when there is none with this id.

        Raises:
            CheckpointError: when its checkpoint is damaged.
            StoreError: when there is no database, or it cannot be used.
        """
        # What it said at its end may still wait to be saved.
        self.flush()
        return self._store.resumption.past(run_id)

    def row(self, run_id: str, epoch: int) -> Row | None:
        """One epoch exactly, or None where it is not stored or cannot be read."""
        with suppress(StoreError):
            return self._store.row(run_id, epoch)
        return None

    def rows(self, run_id: str) -> EpochBlock | None:
        """Every epoch so far, also those that are only queued yet; None without a database that is open.

        Raises:
            StoreError: when the database cannot be read.
        """
        if not self._store.can_read:
            return None
        self.flush()
        return self._store.rows(run_id)

    def forget(self, run_ids: Iterable[str]) -> None:
        """Read nothing of these runs from memory any more."""
        with self._lock:
            for run_id in run_ids:
                self._recent.pop(run_id, None)

    def flush(self) -> None:
        """Wait, at most `FLUSH_SECONDS`, until everything queued so far is saved."""
        if self._store.is_open:
            self._store.flush(FLUSH_SECONDS)

    def look_around(self) -> None:
        """Look for processes that died, and for a database that could not be opened; the next call tries again."""
        with suppress(StoreError):
            self._store.interrupt_dead()

    def close(self, timeout: float) -> None:
        """Save what is queued within `timeout` seconds, and let go of the database."""
        self._store.close(timeout)

    def _read(self, run_id: str) -> StoredRun | None:
        store, begin = self._store, self._clock()
        record, history = store.run(run_id), store.history(run_id)
        if record is None or history is None:
            return None
        now = self._clock()
        age = max(SHORTEST_AGE_SECONDS, AGE_PER_READING * (now - begin))
        is_final = record.status.is_over and not record.status.can_go_on
        host = None if record.status.is_over else store.host(run_id)
        return StoredRun(record, history.snapshot(), host, None if is_final else now + age)
