"""Where runs are kept: a database, which several processes may share.

Training threads only queue; a single writer thread commits. Readers see what is committed, at most half a
second behind. A database that cannot be opened is tried again and again: what is said meanwhile waits.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

import sqlalchemy as sa

from dpdash.core.config import RunConfig
from dpdash.core.errors import StoreError
from dpdash.core.events import COLUMNS, EpochBlock, RunEvent, RunStatus
from dpdash.core.history import History, Row
from dpdash.store.data_tables import DataTables
from dpdash.store.database import BUSY_SECONDS
from dpdash.store.errors import HEALTHY, INCOMPLETE, READ_ONLY, StoreHealth, newest, unhealthy
from dpdash.store.instances import Instance
from dpdash.store.plans import ExchangeTable, Locks, StudyTable, SweepTable
from dpdash.store.reading import events_of, records_of, rows_of
from dpdash.store.resuming import Resumption
from dpdash.store.rows import (
    Entry,
    RunCreated,
    RunRecord,
    block_from_row,
    joined,
    save,
)
from dpdash.store.run_table import RunTable
from dpdash.store.schema import blocks, instances, runs
from dpdash.store.transfer import RunTransfer
from dpdash.store.url import database_at
from dpdash.store.writer import MAX_PENDING_BYTES, Writer

__all__ = ["RunRecord", "RunStore", "StoreHealth"]

T = TypeVar("T")
CLOSE_SECONDS: Final = 4.0
LARGEST_EPOCH: Final = 2**31 - 1
"""That a column of the tables holds in every database."""


class RunStore:
    """Runs in a database, safe to use from any thread.

    While it cannot be opened, made, or understood, `health` says why.

    Raises:
        StoreError: when the URL names no database that can hold runs.
    """

    def __init__(self, url: str, max_pending_bytes: int = MAX_PENDING_BYTES) -> None:
        self._database = database_at(url)
        self._opening = threading.Lock()
        self._open_problem: StoreError | None = None
        self._read_problem: StoreError | None = None
        self._is_readable = False
        self._is_closed = False
        self._may_be_wronged = False
        self._instance: Instance | None = None
        with suppress(StoreError):
            self._open_unless_open()
        self._writer = Writer(self._commit, max_pending_bytes)
        locks = Locks(self._hold, self._database.locks.let_go, self._is_held)
        self.studies = StudyTable(self._write, self._reading, locks)
        self.exchanges = ExchangeTable(self._write, self._reading, locks)
        self.sweeps = SweepTable(self._write, self._reading, locks)
        self.resumption = Resumption(self._write, self._reading, lambda: self._own.id, self._writer.forget_cut)
        self.transfer = RunTransfer(self._write, self._reading, lambda: self._own.id)
        self.run_table = RunTable(self._write, self._reading)
        self.data_tables = DataTables(self._write, self._reading)

    def create_run(
        self, run_id: str, config: RunConfig, owner: str, created_at: float, sweep_id: str | None = None
    ) -> None:
        """Queue a new run of this process; `created_at` is Unix time in seconds."""
        self._writer.append(run_id, RunCreated(config, owner, created_at, sweep_id))

    def append(self, run_id: str, event: RunEvent) -> None:
        """Queue what a run said; never waits for the disk."""
        self._writer.append(run_id, event)

    def flush(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until everything queued so far is committed; whether it is."""
        return self._writer.flush(timeout)

    @property
    def is_open(self) -> bool:
        """Whether the database could be opened."""
        return self._instance is not None

    @property
    def can_read(self) -> bool:
        """Whether runs can be looked up: a database that cannot be written may be read."""
        return self.is_open or self._is_readable

    @property
    def health(self) -> StoreHealth:
        """Whether the database is open and the latest commit and the latest look-up worked."""
        problem = self._open_problem or self._writer.problem or self._read_problem
        return unhealthy(problem) if problem else HEALTHY

    def health_of(self, run_id: str) -> StoreHealth:
        """The same for one run, which may have been cut because the database could not keep up."""
        cut_at = self._writer.cut_at(run_id)
        if cut_at is not None:
            return unhealthy(StoreError(INCOMPLETE, num_epochs=cut_at))
        return self.health

    def runs(self, limit: int = 100) -> tuple[RunRecord, ...]:
        """The latest runs of every process that are not deleted, the newest first."""
        listed = sa.select(runs).where(runs.c.deleted_at.is_(None))
        newest_first = listed.order_by(runs.c.number.desc()).limit(limit)
        with self._reading() as connection:
            return tuple(records_of(connection, newest_first))

    def run(self, run_id: str) -> RunRecord | None:
        """One run, or None when there is none with this id."""
        with self._reading() as connection:
            return next(records_of(connection, sa.select(runs).where(runs.c.id == run_id)), None)

    def host(self, run_id: str) -> str | None:
        """The machine of the process that trains a run; None where it is not known, or none does."""
        trains_it = sa.select(instances.c.host).join(runs, runs.c.instance_id == instances.c.id)
        with self._reading() as connection:
            host: str | None = connection.scalar(trains_it.where(runs.c.id == run_id))
            return host

    def known(self, run_ids: Iterable[str]) -> frozenset[str]:
        """Those of the runs that are in the database already."""
        with self._reading() as connection:
            return frozenset(connection.scalars(sa.select(runs.c.id).where(runs.c.id.in_(run_ids))))

    def history(self, run_id: str) -> History | None:
        """A run's history folded again from what is stored; None when there is no such run."""
        with self._reading() as connection:
            status = connection.scalar(sa.select(runs.c.status).where(runs.c.id == run_id))
            if status is None:
                return None
            history = History()
            for block in rows_of(connection, run_id):
                history.fold(block)
            for _number, event in events_of(connection, run_id):
                history.fold(event)
        if status == RunStatus.INTERRUPTED:
            history.mark_interrupted()
        return history

    def rows(self, run_id: str) -> EpochBlock | None:
        """Every stored epoch of a run in one block; None before there is one."""
        with self._reading() as connection:
            parts = list(rows_of(connection, run_id))
        return joined(parts) if parts else None

    def row(self, run_id: str, epoch: int) -> Row | None:
        """One epoch exactly as it was, or None while it is not stored."""
        if not 1 <= epoch <= LARGEST_EPOCH:
            return None
        holding = (
            sa.select(blocks)
            .where(blocks.c.run_id == run_id, blocks.c.first_epoch <= epoch)
            .order_by(blocks.c.first_epoch.desc())
            .limit(1)
        )
        with self._reading() as connection:
            found = connection.execute(holding).one_or_none()
        if found is None:
            return None
        block = block_from_row(found)
        if not block.first_epoch <= epoch <= block.last_epoch:
            return None
        index = epoch - block.first_epoch
        return Row(epoch, *(float(getattr(block, name)[index]) for name in COLUMNS))

    def interrupt_dead(self) -> None:
        """Mark the runs of processes that died meanwhile as interrupted; opens the database if it is not open yet.

        Raises:
            StoreError: when the database cannot be used just now.
        """
        self._open_unless_open()
        self._keep_locks()
        with self._reading() as connection:
            dead = self._own.dead(connection)
        if dead:
            self._write(lambda connection: self._own.interrupt(connection, dead))

    def close(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Commit what is queued and let go of the file; whether all was saved within `timeout` seconds."""
        if self._is_closed:
            return True
        # What could not be opened all along is tried once more, and not waited for.
        all_saved = self._writer.close(timeout if self.is_open else min(timeout, BUSY_SECONDS))
        if all_saved and self._instance is not None:
            try:
                self._write(self._instance.leave)
            except StoreError:
                all_saved = False
        self._let_go()
        return all_saved

    @property
    def _own(self) -> Instance:
        assert self._instance is not None
        return self._instance

    def _open_unless_open(self) -> None:
        with self._opening:
            if self._instance is not None:
                return
            if self._is_closed:
                self._require_open()
            try:
                with self._database.told():
                    self._instance = self._opened()
            except StoreError as problem:
                self._open_problem = newest(self._open_problem, self._read_at_least(problem))
                # The next attempt may find another file there.
                self._database.engine.dispose()
                raise
            self._open_problem, self._is_readable = None, False

    def _read_at_least(self, problem: StoreError) -> StoreError:
        """Look up in a database that cannot be written; what is wrong with it."""
        try:
            with self._database.told():
                self._is_readable = problem.template == READ_ONLY and self._database.open_for_reading()
        except StoreError as worse:
            self._is_readable = False
            return worse
        return problem

    def _opened(self) -> Instance:
        self._database.prepare()
        instance = Instance(self._database.locks)
        try:
            with self._database.writing.begin() as connection:
                instance.register(connection, time.time())
                instance.interrupt(connection, instance.dead(connection))
        except BaseException:
            instance.release()
            raise
        return instance

    def _commit(self, batch: list[Entry]) -> None:
        self._open_unless_open()
        self._keep_locks()
        self._write(lambda connection: save(connection, batch, self._own.id))

    def _keep_locks(self) -> None:
        """Where the server of the database was started anew: others may have taken this process for dead."""
        with self._database.told():
            self._may_be_wronged |= self._database.locks.renew()
        if self._may_be_wronged:
            self._write(lambda connection: self._own.take_back(connection, time.time()))
            self._may_be_wronged = False

    def _hold(self, name: str) -> bool:
        self._open_unless_open()
        with self._database.told():
            return self._database.locks.hold(name)

    def _is_held(self, name: str) -> bool:
        with self._reading() as connection:
            return not self._database.locks.free(connection, [name])

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        with self._database.told():
            self._database.require_same()
            with self._database.writing.begin() as connection:
                return work(connection)

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        self._require_open()
        try:
            with self._database.told():
                self._database.require_same()
                with self._database.reading.connect() as connection:
                    yield connection
        except StoreError as problem:
            self._read_problem = newest(self._read_problem, problem)
            raise
        self._read_problem = None

    def _require_open(self) -> None:
        if self._open_problem is not None and not self._is_readable:
            # Without what it gathers each time that it is raised.
            raise self._open_problem.with_traceback(None)

    def _let_go(self) -> None:
        self._is_closed = True
        if self._instance is not None:
            self._instance.release()
        self._database.locks.close()
        self._database.reading.dispose()
        self._database.engine.dispose()
