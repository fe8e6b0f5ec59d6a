"""The runs that are kept: listed, named, pinned and deleted by people, and let go of when they become too many."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from dpdash.core.errors import N_, StoreError, UnknownRunError
from dpdash.core.settings import ServerSettings
from dpdash.runs.read_cache import ReadCache
from dpdash.runs.scheduler import Scheduler
from dpdash.store.query import Fold, RunLabel, RunPage, RunQuery, Viewer
from dpdash.store.rows import RunRecord
from dpdash.store.run_table import RunTable

TIDY_SECONDS: Final = 30.0
NOTICE_SECONDS: Final = 3600.0
"""So long the pages say which runs are too many, before those are deleted."""
UNDO_SECONDS: Final = 24 * 3600.0
"""So long a run that somebody deleted can be restored."""
MEGABYTE: Final = 10**6


@dataclass(frozen=True, slots=True)
class Retention:
    """How many runs the server keeps, and what it is about to let go of."""

    keep_runs: int | None
    keep_megabytes: int | None
    num_due: int
    """Runs that are too many: the oldest that are not pinned."""
    seconds_left: float
    """Until the first of them is deleted."""


class Library:
    """What people and the server do with runs that are stored; safe for threads.

    Without a database, the runs in memory are listed, and nothing can be done with them.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        read_cache: ReadCache,
        settings: ServerSettings,
        clock: Callable[[], float] = time.time,
        steady_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` is Unix time; `steady_clock` never jumps and measures the notice."""
        self._scheduler = scheduler
        self._read_cache = read_cache
        self._settings = settings
        self._clock = clock
        self._steady_clock = steady_clock
        self._tidied_at: float | None = None
        self._told_at: dict[str, float] = {}
        """When each run was first found to be too many."""

    def page(self, query: RunQuery) -> RunPage:
        """The runs that a query finds; only those in memory when the database cannot be read."""
        with suppress(StoreError):
            return self._run_table.page(query)
        return self._page_in_memory(query)

    def records(self, run_ids: Sequence[str], viewer: Viewer) -> tuple[RunRecord, ...]:
        """Those of the runs that the viewer has, in the order of the ids."""
        with suppress(StoreError):
            return self._run_table.records(run_ids, viewer)
        found = {record.run_id: record for record in self._in_memory(viewer)}
        return tuple(found[run_id] for run_id in run_ids if run_id in found)

    def last(self, owner: str) -> RunRecord | None:
        """The newest run that somebody started and no sweep; one that is not over before any other."""
        here = {run.run_id: run for run in self._scheduler.all() if run.owner == owner and run.sweep_id is None}
        live = [run for run in reversed(here.values()) if not run.is_over]
        # What has just ended may still be on its way to the database.
        unknown = self._read_cache.unsaved(here)
        unsaved = [run for run_id, run in reversed(here.items()) if run_id in unknown]
        for run in (*live, *unsaved):
            return run.record()
        with suppress(StoreError):
            stored = self._run_table.last(owner)
            return here[stored.run_id].record() if stored and stored.run_id in here else stored
        return None

    def tags(self, viewer: Viewer) -> tuple[str, ...]:
        """Every tag that a run of the viewer has; none when the database cannot be read."""
        with suppress(StoreError):
            return self._run_table.tags(viewer)
        return ()

    def label(self, run_id: str, viewer: Viewer, label: RunLabel) -> None:
        """Name a run, and keep what is said of it.

        Raises:
            UnknownRunError: when the viewer has no such run.
            StoreError: when it cannot be saved.
        """
        if not self._run_table.label(run_id, viewer, label):
            raise UnknownRunError(N_("This run is not in your list any more. Choose another one."))

    def pin(self, run_ids: Sequence[str], viewer: Viewer, is_pinned: bool) -> None:
        """Keep runs whatever else is let go of, or no longer.

        Raises:
            StoreError: when it cannot be saved.
        """
        self._run_table.pin(run_ids, viewer, is_pinned)

    def delete(self, run_ids: Sequence[str], viewer: Viewer) -> tuple[str, ...]:
        """Take runs out of the list, and return those that were; one that is not over stays.

        Raises:
            StoreError: when it cannot be saved.
        """
        return self._run_table.delete(run_ids, viewer, self._clock())

    def restore(self, run_ids: Sequence[str], viewer: Viewer) -> None:
        """Put deleted runs back.

        Raises:
            StoreError: when it cannot be saved.
        """
        self._run_table.restore(run_ids, viewer)

    @property
    def retention(self) -> Retention | None:
        """What the server is about to let go of; None when it keeps everything."""
        settings = self._settings
        if settings.keep_runs is None and settings.keep_megabytes is None:
            return None
        first = min(self._told_at.values(), default=self._steady_clock())
        seconds_left = max(0.0, first + NOTICE_SECONDS - self._steady_clock())
        return Retention(settings.keep_runs, settings.keep_megabytes, len(self._told_at), seconds_left)

    def tidy(self) -> None:
        """Let go of what was deleted long ago, and of what has been too many for long enough; called often."""
        now = self._steady_clock()
        if self._tidied_at is not None and now - self._tidied_at < TIDY_SECONDS:
            return
        with suppress(StoreError):
            run_table = self._run_table
            self._let_go(run_table, run_table.deleted_before(self._clock() - UNDO_SECONDS))
            self._let_go_of_surplus(run_table, now)
            self._read_cache.data_tables.let_go(self._clock() - UNDO_SECONDS)
            self._tidied_at = now

    def _let_go_of_surplus(self, run_table: RunTable, now: float) -> None:
        settings = self._settings
        if settings.keep_runs is None and settings.keep_megabytes is None:
            return
        keep_bytes = None if settings.keep_megabytes is None else settings.keep_megabytes * MEGABYTE
        surplus = run_table.surplus(settings.keep_runs, keep_bytes)
        told_at = {run_id: self._told_at.get(run_id, now) for run_id in surplus}
        gone = self._let_go(
            run_table, [run_id for run_id, told in told_at.items() if now - told >= NOTICE_SECONDS]
        )
        self._told_at = {run_id: told for run_id, told in told_at.items() if run_id not in gone}

    def _let_go(self, run_table: RunTable, run_ids: Sequence[str]) -> frozenset[str]:
        if not run_ids:
            return frozenset()
        gone = frozenset(run_table.let_go(run_ids))
        self._read_cache.forget(gone)
        self._scheduler.forget(tuple(run for run in self._scheduler.all() if run.run_id in gone))
        return gone

    @property
    def _run_table(self) -> RunTable:
        return self._read_cache.run_table

    def _page_in_memory(self, query: RunQuery) -> RunPage:
        found = [
            record
            for record in self._in_memory(query.viewer)
            if not query.is_deleted and (not query.statuses or record.status in query.statuses)
        ]
        trials: dict[str, list[RunRecord]] = {}
        for record in found:
            is_folded = record.sweep_id is not None and record.sweep_id not in query.unfolded
            trials.setdefault((is_folded and record.sweep_id) or record.run_id, []).append(record)
        shown = list(trials.items())[query.offset : query.offset + query.limit]
        folds = {
            of_row[0].run_id: Fold.of(group, [(trial.run_id, trial.status, trial.best_loss) for trial in of_row])
            for group, of_row in shown
            if of_row[0].sweep_id == group
        }
        rows = tuple(of_row[0] for _group, of_row in shown)
        return RunPage(rows, len(trials), folds, is_unsearched=bool(query.text or query.tags))

    def _in_memory(self, viewer: Viewer) -> Iterator[RunRecord]:
        """The newest first."""
        for run in reversed(self._scheduler.all()):
            if viewer.sees_all or run.owner == viewer.owner:
                yield run.record()
