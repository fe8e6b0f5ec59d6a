"""What a teacher decides for everybody: whether new runs may start, which run all see, and when all begin anew."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from weakref import WeakSet

from dpdash.core.errors import N_, FrozenError
from dpdash.core.events import StopReason
from dpdash.runs.listeners import Listeners
from dpdash.runs.reader import RunReader
from dpdash.runs.run import LiveRun
from dpdash.runs.scheduler import Scheduler
from dpdash.runs.snapshot import RunSnapshot
from dpdash.runs.visitors import Visitors

FROZEN: Final = N_("The teacher has paused new runs on this server. Wait until they are allowed again.")


@dataclass(frozen=True)
class RoomSnapshot:
    """Everybody's pages and runs at one moment."""

    is_frozen: bool
    """Whether new runs are refused."""
    spotlight: str | None
    """Id of the run that every page shows."""
    generation: int
    """How often the room was cleared; a page that remembers a lower number goes back to the preview."""
    num_pages: int
    num_browsers: int
    refresh_seconds: float
    """Seconds between two updates of a live page."""
    runs: tuple[RunSnapshot, ...]
    """Those that wait, train or stand paused, in the order of their starts."""
    ended: tuple[RunSnapshot, ...]
    """Those that have ended by themselves since the room was last cleared, the latest start first."""


class Room:
    """What a teacher decides for everybody, and sees of everybody; safe for threads.

    Each decision may be made again without harm. The properties are read at every refresh of every page, without a
    lock.
    """

    def __init__(self, scheduler: Scheduler, runs: RunReader, visitors: Visitors, listeners: Listeners) -> None:
        self._scheduler = scheduler
        self._runs = runs
        self._visitors = visitors
        self._listeners = listeners
        self._lock = threading.Lock()
        self._is_frozen = False
        self._spotlight: str | None = None
        self._generation = 0
        self._paused: WeakSet[LiveRun] = WeakSet()
        """Those that stand for a study."""
        self._cleared: WeakSet[LiveRun] = WeakSet()
        """The runs of earlier lessons, as long as they are kept elsewhere."""

    @property
    def refresh_seconds(self) -> float:
        """Seconds between two updates of a live page: the more pages are open, the more."""
        return self._visitors.refresh_seconds

    @property
    def is_frozen(self) -> bool:
        """Whether new runs are refused."""
        return self._is_frozen

    @property
    def spotlight(self) -> str | None:
        """Id of the run that every page shows."""
        return self._spotlight

    @property
    def generation(self) -> int:
        """How often the room was cleared."""
        return self._generation

    def snapshot(self) -> RoomSnapshot:
        """Everybody's pages and runs now."""
        # Asked first: one that ends meanwhile is then in neither list, and never in both.
        ended = self._runs.ended(self._cleared)
        return RoomSnapshot(
            is_frozen=self._is_frozen,
            spotlight=self._spotlight,
            generation=self._generation,
            num_pages=self._visitors.num_pages,
            num_browsers=self._visitors.num_browsers,
            refresh_seconds=self._visitors.refresh_seconds,
            runs=self._runs.live(),
            ended=ended,
        )

    @contextmanager
    def admitting(self) -> Iterator[None]:
        """Take a run in: whoever freezes the room meanwhile waits, so that no run slips in behind a freeze.

        Raises:
            FrozenError: when new runs are refused.
        """
        with self._lock:
            if self._is_frozen:
                raise FrozenError(FROZEN)
            yield

    def freeze(self, frozen: bool) -> None:
        """Refuse new runs, or allow them again; those that train or wait go on."""
        with self._lock:
            is_new = self._is_frozen is not frozen
            self._is_frozen = frozen
        if is_new:
            self._listeners.tell(None)

    def put_in_spotlight(self, run_id: str | None) -> None:
        """Show a run on every page until another one, or None, takes its place.

        Raises:
            UnknownRunError: when there is no such run.
            StoreError: when it is not live and the database cannot be read.
        """
        if run_id is not None:
            self._runs.snapshot(run_id)
        with self._lock:
            is_new = self._spotlight != run_id
            self._spotlight = run_id
        if is_new:
            self._listeners.tell(None)

    def pause_all(self) -> int:
        """Let everybody's runs stand still until `resume_paused`; how many did not before."""
        paused = self._scheduler.pause_all()
        with self._lock:
            self._paused.update(paused)
        self._listeners.tell(None)
        return len(paused)

    def resume_paused(self) -> None:
        """Let the runs go on that `pause_all` has paused, as far as they still stand."""
        with self._lock:
            paused, self._paused = self._paused, WeakSet()
        # In the order of their starts, in which they then wait for slots.
        for run in self._scheduler.all():
            if run in paused:
                self._scheduler.resume(run)
        if paused:
            self._listeners.tell(None)

    @property
    def num_paused(self) -> int:
        """Runs that `pause_all` has paused and that may go on."""
        return sum(not run.is_over and run.control.is_paused for run in tuple(self._paused))

    def stop_all(self) -> int:
        """Stop everybody's runs, which stay stored; how many were not stopped before."""
        num_stopped = self._scheduler.stop_all(StopReason.TEACHER)
        self._listeners.tell(None)
        return num_stopped

    def clear(self) -> None:
        """Stop everybody's runs, end the spotlight, and send every page back to the preview.

        No run starts while those that there are are stopped.
        """
        with self._lock:
            self._scheduler.stop_all(StopReason.TEACHER)
            self._cleared = WeakSet(self._scheduler.all())
            self._spotlight = None
            self._generation += 1
        self._listeners.tell(None)
