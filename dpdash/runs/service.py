"""The runs of this process: who may steer them, which of them train now, and what they look like at a moment."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, Self

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_, ConfigError, NotOwnerError, NotResumableError
from dpdash.core.events import RunStatus, StopReason
from dpdash.core.limits import Limits, longer
from dpdash.core.settings import ServerSettings
from dpdash.runs.ids import new_run_id, require_possible, unknown_run
from dpdash.runs.library import Library
from dpdash.runs.listeners import Listener, Listeners
from dpdash.runs.own_tables import OwnTables
from dpdash.runs.pace import Pace
from dpdash.runs.read_cache import ReadCache
from dpdash.runs.reader import RunReader
from dpdash.runs.room import Room, RoomSnapshot
from dpdash.runs.run import LiveRun
from dpdash.runs.scheduler import Scheduler
from dpdash.runs.slots import Slots
from dpdash.runs.snapshot import RunSnapshot
from dpdash.runs.visitors import Visitors
from dpdash.store.absent import Store, open_store
from dpdash.store.resuming import Past
from dpdash.training import catalog
from dpdash.training.engine import Engine

__all__ = ["Pace", "RoomSnapshot", "RunService", "RunSnapshot"]

MAX_FINISHED_IN_MEMORY: Final = 64
LOOK_AROUND_SECONDS: Final = 5.0
"""How often the service looks for browsers that are gone and for other processes that died."""
STORE_SHARE_OF_SHUTDOWN: Final = 0.4
ENDING_SECONDS: Final = 2.0
"""What the thread of a run that has ended is given to be gone."""
NOT_RESUMABLE: Final = N_(
    "A run that diverged, failed or was imported cannot go on. Start a new one with its settings instead."
)
NOT_OWNER: Final = N_("Only the browser that started this run can steer it. Press Start for a run of your own.")
NOT_ENDED: Final = N_("This run has not quite ended yet. Try again in a moment.")

_log = logging.getLogger(__name__)


class RunService:
    """Starts and steers runs; safe for threads, and every command may be given again without harm.

    `runs` looks them up, `room` is the teacher's, `library` is what people do with those that are kept, and
    `own_tables` has the data that people have brought.

    Commands to a run that is over do nothing. All of them raise `UnknownRunError` when there is no such run
    and `NotOwnerError` when someone else started it.
    """

    def __init__(
        self,
        settings: ServerSettings,
        store: Store,
        find_engine: Callable[[RunConfig], Engine] = catalog.require,
        clock: Callable[[], float] = time.time,
        steady_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` is Unix time for the records; `steady_clock` never jumps and measures the grace period."""
        self._store = store
        self._find_engine = find_engine
        self._clock = clock
        self._limits = Limits.of(settings)
        slots = Slots(settings.full_speed_slots, settings.paced_slots)
        listeners = Listeners()
        scheduler = Scheduler(slots, self._limits.runs_per_browser, settings.ddp_processes, listeners)
        visitors = Visitors(settings.grace_seconds, settings.refresh_seconds, steady_clock)
        self._scheduler = scheduler
        self._read_cache = ReadCache(store)
        self._visitors = visitors
        self._listeners = listeners
        self.runs = RunReader(scheduler, self._read_cache)
        self.room = Room(scheduler, self.runs, visitors, listeners)
        self.library = Library(scheduler, self._read_cache, settings, clock, steady_clock)
        self.own_tables = OwnTables(self._read_cache)
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._look_around, name="run-watch", daemon=True)
        self._watch.start()

    @classmethod
    def open(cls, settings: ServerSettings, find_engine: Callable[[RunConfig], Engine] = catalog.require) -> Self:
        """A service on the database of the settings.

        Its health says why nothing is saved where it cannot be opened, which is tried again every few seconds, or
        where the settings name none.
        """
        store = open_store(settings.database_url)
        if store.health.problem is not None:
            _log.warning("Runs are not saved: %s", store.health.problem)
        return cls(settings, store, find_engine=find_engine)

    def start(
        self, config: RunConfig, owner: str, pace: Pace, *, paused: bool = False, sweep_id: str | None = None
    ) -> str:
        """Queue a new run, which begins at once where a slot is free, and return its id.

        One that is started `paused` stands before its first epoch, to be trained step by step. A trial of a sweep
        goes on when its browser is gone, as its sweep does.

        Raises:
            ConfigError: when a setting is beyond what this server allows.
            EngineUnavailableError: when this machine cannot run the engine that was asked for.
            FrozenError: when the teacher lets no new runs start.
            OwnDataError: when its own data is not there any more.
            TooManyRunsError: when there are as many runs as there may be.
        """
        return self._start(config, owner, pace, None, paused, sweep_id)

    def restart(self, run_id: str, config: RunConfig, owner: str, pace: Pace, *, paused: bool = False) -> str:
        """Start a new run in the place of an old one, which is stopped if it is live and the owner's.

        Raises:
            DpdashError: as in `start`; the old run then goes on.
        """
        old = self._scheduler.get(run_id)
        is_owned = old is not None and old.owner == owner
        return self._start(config, owner, pace, old if is_owned else None, paused)

    def resume_ended(self, run_id: str, owner: str, pace: Pace, epochs: int | None = None) -> None:
        """Train a run further that was stopped or interrupted, under its own id; `epochs` makes it longer.

        One that has finished needs that.

        It goes on behind its checkpoint, or begins anew where it has none, and takes the learning rates again that
        it had behind that. One that is live goes on as it does.

        Raises:
            CheckpointError: when its checkpoint is damaged.
            DpdashError: as in `start`.
            NotResumableError: when it ended otherwise, or has not quite ended.
            SettingError: when it would be shorter than it was to be, or has finished and gets no more epochs.
            StoreError: when the database cannot be used.
        """
        if self._steered(run_id, owner) is not None:
            return
        past = self._past(run_id)
        has_all = past.record.status is RunStatus.FINISHED
        config = self._limits.allowed(longer(past.record.config, epochs, has_all=has_all))
        engine = self._find_engine(config)
        self.own_tables.require(config)
        run = LiveRun(run_id, config, owner, pace, engine, self._store, self._clock, past=past)
        with self.room.admitting():
            self._scheduler.add(run, None)
        self._listeners.tell(run_id)

    def pause(self, run_id: str, owner: str) -> None:
        """Stand still before the next epoch and give the slot, or the place in the queue, to others."""
        self._steer(run_id, owner, self._scheduler.pause)

    def resume(self, run_id: str, owner: str) -> None:
        """Go on as soon as there is a slot."""
        self._steer(run_id, owner, self._scheduler.resume)

    def step(self, run_id: str, owner: str) -> None:
        """Train exactly one epoch and stand still after it; that needs no slot."""
        self._steer(run_id, owner, self._scheduler.step)

    def trace_step(self, run_id: str, owner: str) -> None:
        """Take the next step apart; the run trains on, or stands on, meanwhile."""
        self._steer(run_id, owner, lambda run: run.control.trace_step())

    def stop(self, run_id: str, owner: str) -> None:
        """End the run before its next epoch; one that still waits to begin ends at once."""
        self._steer(run_id, owner, lambda run: self._scheduler.stop(run, StopReason.ASKED))

    def end_trial(self, run_id: str) -> None:
        """End a trial for its sweep; does nothing for any other run."""
        run = self._scheduler.get(run_id)
        if run is not None and run.sweep_id is not None:
            self._scheduler.stop(run, StopReason.SWEEP)

    def reset(self, run_id: str, owner: str) -> None:
        """Stop the run because its page turns to something new; what it learned stays stored."""
        self.stop(run_id, owner)

    def set_learning_rate(self, run_id: str, owner: str, value: float) -> None:
        """Train with another learning rate from the next epoch on.

        Raises:
            SettingError: when the value is not allowed.
        """
        try:
            allowed = RunConfig.parse({"learning_rate": value}).learning_rate
        except ConfigError as error:
            raise error.problems[0] from None
        run = self._steered(run_id, owner)
        if run is not None:
            run.control.set_learning_rate(allowed)

    def set_pace(self, run_id: str, owner: str, pace: Pace) -> None:
        """Change the pace; full speed begins when there is a slot for it."""
        run = self._steered(run_id, owner)
        if run is not None:
            self._scheduler.set_pace(run, pace)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a run's slot at full speed, for work of this process that is no run.

        Raises:
            FrozenError: when new runs are refused.
            TooManyRunsError: when runs hold every slot.
        """
        with ExitStack() as held:
            with self.room.admitting():
                held.enter_context(self._scheduler.slot())
            yield

    def num_unwanted_slots(self) -> int:
        """Slots at full speed that are idle or a trial's, and that nobody waits for but trials."""
        return self._scheduler.num_unwanted()

    def on_change(self, listener: Listener) -> None:
        """Call a listener, from any thread, with the id of each run that begins to move, stops, or stands anew.

        It is called with None when the freeze, the spotlight or the generation changes.
        """
        self._listeners.add(listener)

    @property
    def limits(self) -> Limits:
        """What this server allows a browser."""
        return self._limits

    def browser_opened(self, owner: str) -> None:
        """A browser opened a page."""
        self._visitors.opened(owner)

    def browser_closed(self, owner: str) -> None:
        """A page of a browser is gone, perhaps only for a moment: its runs go on for the grace period."""
        self._visitors.closed(owner)

    def stop_abandoned(self) -> None:
        """Stop the runs of browsers that are gone for longer than the grace period; called every few seconds."""
        abandoned = self._visitors.take_abandoned()
        for run in self._scheduler.all():
            if run.owner in abandoned and run.sweep_id is None:
                self._scheduler.stop(run, StopReason.BROWSER_GONE)

    def forget_oldest(self) -> None:
        """Leave all but the latest runs that are over to the store; called every few seconds."""
        # The one that everybody watches stays: perhaps there is no store to read it from.
        over = (run for run in self._scheduler.all() if run.is_over and run.run_id != self.room.spotlight)
        surplus = tuple(over)[:-MAX_FINISHED_IN_MEMORY]
        if surplus:
            # So that the store knows them before nobody else does.
            self._read_cache.flush()
            self._scheduler.forget(surplus)

    def shutdown(self, timeout: float = 5.0) -> None:
        """Stop all runs, save them and end every thread, within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self._closing.set()
        self._scheduler.close()
        for run in self._scheduler.all():
            run.join(max(0.0, deadline - time.monotonic() - STORE_SHARE_OF_SHUTDOWN * timeout))
        self._watch.join(max(0.0, deadline - time.monotonic() - STORE_SHARE_OF_SHUTDOWN * timeout))
        self.own_tables.close()
        self._read_cache.close(max(0.0, deadline - time.monotonic()))

    def _start(
        self,
        config: RunConfig,
        owner: str,
        pace: Pace,
        in_place_of: LiveRun | None,
        paused: bool,
        sweep_id: str | None = None,
    ) -> str:
        allowed = self._limits.allowed(config)
        engine = self._find_engine(allowed)
        self.own_tables.require(allowed)
        if sweep_id is None:
            self._visitors.seen(owner)
        run = LiveRun(new_run_id(), allowed, owner, pace, engine, self._store, self._clock, sweep_id)
        with self.room.admitting():
            self._scheduler.add(run, in_place_of, paused=paused)
        return run.run_id

    def _past(self, run_id: str) -> Past:
        ended = self._scheduler.get(run_id)
        # It has said its last word, but that may still be on its way to the store, and it may hold its slot.
        if ended is not None and not ended.join(ENDING_SECONDS):
            raise NotResumableError(NOT_ENDED)
        past = self._read_cache.past(run_id)
        if past is None or past.record.deleted_at is not None:
            raise unknown_run(run_id)
        if past.record.is_imported or not past.record.status.can_go_on:
            raise NotResumableError(NOT_RESUMABLE)
        return past

    def _steer(self, run_id: str, owner: str, command: Callable[[LiveRun], None]) -> None:
        """Give a run a command, unless it is over, and say so: who watches one that stood still sees it move."""
        run = self._steered(run_id, owner)
        if run is not None:
            command(run)
            self._listeners.tell(run_id)

    def _steered(self, run_id: str, owner: str) -> LiveRun | None:
        """The run that a command is for; None when it is over."""
        require_possible(run_id)
        self._visitors.seen(owner)
        run = self._scheduler.get(run_id)
        found = run or self._read_cache.record(run_id)
        if found is None:
            raise unknown_run(run_id)
        if found.owner != owner:
            raise NotOwnerError(NOT_OWNER)
        return run if run is not None and not run.is_over else None

    def _look_around(self) -> None:
        duties = (self.stop_abandoned, self.forget_oldest, self._read_cache.look_around, self.library.tidy)
        while not self._closing.wait(LOOK_AROUND_SECONDS):
            for duty in duties:
                try:
                    duty()
                except Exception:
                    _log.exception("What the service looks after went wrong once; it looks again soon.")
