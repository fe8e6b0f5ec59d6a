"""Runs as they are now, wherever they stand: with the threads that train them, or in the store."""

from collections.abc import Container, Iterator
from typing import Final

from dpdash.core.config import bounds
from dpdash.core.events import EpochBlock, RunStatus
from dpdash.core.history import Row
from dpdash.runs.ids import require_possible, unknown_run
from dpdash.runs.read_cache import ReadCache
from dpdash.runs.run import LiveRun
from dpdash.runs.scheduler import Scheduler
from dpdash.runs.snapshot import RunSnapshot, of_stored_run
from dpdash.store.plans import ExchangeTable, StudyTable, SweepTable
from dpdash.store.store import RunRecord, StoreHealth
from dpdash.store.transfer import RunTransfer

ENDED_BY_THEMSELVES: Final = (RunStatus.FINISHED, RunStatus.DIVERGED, RunStatus.FAILED)


class RunReader:
    """Looks runs up for anybody who knows their ids; safe for threads."""

    def __init__(self, scheduler: Scheduler, read_cache: ReadCache) -> None:
        self._scheduler = scheduler
        self._read_cache = read_cache

    def snapshot(self, run_id: str, max_age_seconds: float = 0.0) -> RunSnapshot:
        """A run at this moment, live or from the store; the latest rows of one that trains may be so old.

        Raises:
            UnknownRunError: when there is no such run.
            StoreError: when it is not live and the database cannot be read.
        """
        run = self._scheduler.get(run_id)
        if run is not None:
            return self._scheduler.snapshot(run, self._read_cache.health_of(run_id), max_age_seconds)
        require_possible(run_id)
        stored = self._read_cache.run(run_id)
        if stored is None:
            raise unknown_run(run_id)
        return of_stored_run(stored, self._read_cache.health_of(run_id))

    def live(self) -> tuple[RunSnapshot, ...]:
        """The runs of this process that are not over, in the order of their starts."""
        found = (
            self._scheduler.snapshot(run, self._read_cache.health_of(run.run_id))
            for run in self._scheduler.all()
            if not run.is_over
        )
        return tuple(run for run in found if run.is_live)

    def ended(self, but: Container[LiveRun]) -> tuple[RunSnapshot, ...]:
        """The runs of this process that nobody stopped and no sweep started, the latest first, but for some."""
        found = (
            self._scheduler.snapshot(run, self._read_cache.health_of(run.run_id))
            for run in reversed(self._scheduler.all())
            if run.is_over and run.sweep_id is None and run not in but
        )
        return tuple(run for run in found if run.status in ENDED_BY_THEMSELVES)

    def row(self, run_id: str, epoch: int) -> Row | None:
        """One epoch, exactly where the store has it, else the nearest row that is kept in memory.

        Raises:
            UnknownRunError: when there is no such run.
        """
        require_possible(run_id)
        low, high = bounds("epochs")
        stored = self._read_cache.row(run_id, epoch) if low <= epoch <= high else None
        return stored or self.snapshot(run_id).history.row(epoch)

    def rows(self, run_id: str) -> EpochBlock | None:
        """Every epoch that is saved; None without a store or before the first.

        Raises:
            UnknownRunError: when there is no such run.
            StoreError: when the database cannot be read.
        """
        self.snapshot(run_id)
        return self._read_cache.rows(run_id)

    def blocks(self, run_id: str) -> Iterator[EpochBlock]:
        """Every epoch that is saved, a few blocks in memory at a time.

        Raises:
            StoreError: when the database cannot be read, now or on the way.
        """
        return self._read_cache.transfer.blocks(run_id)

    def record(self, run_id: str) -> RunRecord:
        """What the list of runs shows of one run.

        Raises:
            UnknownRunError: when there is no such run.
            StoreError: when it is not live and the database cannot be read.
        """
        require_possible(run_id)
        run = self._scheduler.get(run_id)
        self._read_cache.flush()
        found = self._read_cache.record(run_id) or (run.record() if run is not None else None)
        if found is None:
            raise unknown_run(run_id)
        return found

    def latest(self, limit: int = 100) -> tuple[RunRecord, ...]:
        """The latest runs, the newest first; only those in memory when the database cannot be read."""
        in_memory = {run.run_id: run.record() for run in reversed(self._scheduler.all())}
        # The order is that of the starts, never that of a clock that may be set back. What is not saved yet is
        # newer than what is; asked first, for the rest may be saved meanwhile, but not the other way round.
        unsaved = self._read_cache.unsaved(in_memory)
        stored = self._read_cache.records(limit)
        newest_first = [record for run_id, record in in_memory.items() if run_id in unsaved]
        newest_first += [in_memory.get(stored_run.run_id, stored_run) for stored_run in stored]
        return tuple({record.run_id: record for record in newest_first}.values())[:limit]

    def flush(self) -> None:
        """Have what the runs have said so far saved now; see `ReadCache.flush`."""
        self._read_cache.flush()

    def wait(self, run_id: str, timeout: float | None = None) -> bool:
        """Wait until a run of this process is over, at most `timeout` seconds; whether it is."""
        run = self._scheduler.get(run_id)
        return run is None or run.over.wait(timeout)

    def num_training(self) -> int:
        """How many runs hold a slot now."""
        return self._scheduler.num_training()

    @property
    def transfer(self) -> RunTransfer:
        """Whole runs in the database.

        Raises:
            StoreError: when there is no database that is open.
        """
        return self._read_cache.transfer

    @property
    def studies(self) -> StudyTable:
        """Where scaling studies are kept."""
        return self._read_cache.studies

    @property
    def exchanges(self) -> ExchangeTable:
        """Where studies of what an exchange costs are kept."""
        return self._read_cache.exchanges

    @property
    def sweeps(self) -> SweepTable:
        """Where sweeps are kept."""
        return self._read_cache.sweeps

    @property
    def has_store(self) -> bool:
        """Whether there is a database that may hold runs, open or not yet."""
        return self._read_cache.has_store

    @property
    def can_read(self) -> bool:
        """Whether stored runs can be looked up, which a database that cannot be written allows too."""
        return self._read_cache.can_read

    @property
    def health(self) -> StoreHealth:
        """Whether runs are being saved and, if not, why."""
        return self._read_cache.health
