"""The runs of this process as a teacher has them: what holds for everybody's, and what is seen of everybody's."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dpdash.core.events import StopReason
from dpdash.runs.listeners import Listener, Listeners
from dpdash.runs.read_cache import ReadCache
from dpdash.runs.reader import RunReader
from dpdash.runs.room import Room, RoomSnapshot
from dpdash.runs.scheduler import Scheduler
from dpdash.runs.visitors import Visitors


class TaughtRuns(RunReader):
    """Freezes, stops, clears and shows runs for everybody; safe for threads."""

    def __init__(
        self, scheduler: Scheduler, read_cache: ReadCache, visitors: Visitors, listeners: Listeners
    ) -> None:
        super().__init__(scheduler, read_cache)
        self._visitors = visitors
        self._listeners = listeners
        self._room = Room(listeners)

    @property
    def refresh_seconds(self) -> float:
        """Seconds between two updates of a live page: the more pages are open, the more."""
        return self._visitors.refresh_seconds

    @property
    def is_frozen(self) -> bool:
        """Whether new runs are refused."""
        return self._room.is_frozen

    @property
    def spotlight(self) -> str | None:
        """Id of the run that every page shows."""
        return self._room.spotlight

    @property
    def generation(self) -> int:
        """How often the room was cleared."""
        return self._room.generation

    def room(self) -> RoomSnapshot:
        """What a teacher sees of everybody's pages and runs."""
        live = (run for run in self._scheduler.all() if not run.is_over)
        runs = tuple(self._scheduler.snapshot(run, self._read_cache.health_of(run.run_id)) for run in live)
        return RoomSnapshot(
            is_frozen=self._room.is_frozen,
            spotlight=self._room.spotlight,
            generation=self._room.generation,
            num_pages=self._visitors.num_pages,
            num_browsers=self._visitors.num_browsers,
            refresh_seconds=self._visitors.refresh_seconds,
            runs=tuple(run for run in runs if run.is_live),
        )

    def freeze(self, frozen: bool) -> None:
        """Refuse new runs, or allow them again; those that train or wait go on."""
        self._room.freeze(frozen)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a run's slot at full speed, for work of this process that is no run.

        Raises:
            FrozenError: when new runs are refused.
            TooManyRunsError: when runs hold every slot.
        """
        with ExitStack() as held:
            with self._room.admitting():
                held.enter_context(self._scheduler.slot())
            yield

    def stop_all(self) -> int:
        """Stop everybody's runs, which stay stored; how many were not stopped before."""
        num_stopped = self._scheduler.stop_all(StopReason.TEACHER)
        self._listeners.tell(None)
        return num_stopped

    def clear(self) -> None:
        """Stop everybody's runs, end the spotlight, and send every page back to the preview."""
        self._room.clear(lambda: self._scheduler.stop_all(StopReason.TEACHER))

    def put_in_spotlight(self, run_id: str | None) -> None:
        """Show a run on every page until another one, or None, takes its place.

        Raises:
            UnknownRunError: when there is no such run.
            StoreError: when it is not live and the database cannot be read.
        """
        if run_id is not None:
            self.snapshot(run_id)
        self._room.put_in_spotlight(run_id)

    def on_change(self, listener: Listener) -> None:
        """Call a listener, from any thread, with the id of each run that begins to move, stops, or stands anew.

        It is called with None when the freeze, the spotlight or the generation changes.
        """
        self._listeners.add(listener)
