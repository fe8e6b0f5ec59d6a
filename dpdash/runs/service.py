"""The runs of this process: who may steer them, which of them train now, and what they look like at a moment."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from dpdash.config import RunConfig
from dpdash.engines import catalog
from dpdash.engines.base import Engine
from dpdash.errors import N_, ConfigError, NotOwnerError, StoreError
from dpdash.events import StopReason
from dpdash.limits import Limits
from dpdash.runs.archive import Archive
from dpdash.runs.crowd import Crowd
from dpdash.runs.ids import new_run_id, require_possible, unknown_run
from dpdash.runs.kept import KeptRuns
from dpdash.runs.live import LiveRun
from dpdash.runs.pace import Pace
from dpdash.runs.reader import RunReader
from dpdash.runs.room import Room, RoomSnapshot
from dpdash.runs.roster import Roster
from dpdash.runs.slots import Slots
from dpdash.runs.snapshot import RunSnapshot
from dpdash.runs.store import RunStore
from dpdash.settings import ServerSettings

__all__ = ["Pace", "RoomSnapshot", "RunService", "RunSnapshot"]

MAX_FINISHED_IN_MEMORY: Final = 64
LOOK_AROUND_SECONDS: Final = 5.0
"""How often the service looks for browsers that are gone and for other processes that died."""
STORE_SHARE_OF_SHUTDOWN: Final = 0.4

_log = logging.getLogger(__name__)


class RunService(RunReader):
    """Starts and steers runs; safe for threads, and every command may be given again without harm.

    Commands to a run that is over do nothing. All of them raise `UnknownRunError` when there is no such run
    and `NotOwnerError` when someone else started it.
    """

    def __init__(
        self,
        settings: ServerSettings,
        store: RunStore | None,
        store_problem: StoreError | None = None,
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
        roster = Roster(slots, self._limits.runs_per_browser, settings.ddp_processes)
        super().__init__(roster, Archive(store, store_problem))
        self.kept = KeptRuns(roster, self._archive, settings, clock, steady_clock)
        self._crowd = Crowd(settings.grace_seconds, settings.refresh_seconds, steady_clock)
        self._room = Room()
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._look_around, name="run-watch", daemon=True)
        self._watch.start()

    @classmethod
    def open(cls, settings: ServerSettings, find_engine: Callable[[RunConfig], Engine] = catalog.require) -> Self:
        """A service on the database of the settings.

        `health` says why nothing is saved where it cannot be opened, which is tried again every few seconds, or
        where the settings name none.
        """
        try:
            store = RunStore(settings.database_url)
        except StoreError as problem:
            _log.warning("Runs are not saved: %s", problem)
            return cls(settings, None, problem, find_engine)
        if store.health.problem is not None:
            _log.warning("Runs are not saved yet: %s", store.health.problem)
        return cls(settings, store, find_engine=find_engine)

    def start(self, config: RunConfig, owner: str, pace: Pace, *, paused: bool = False) -> str:
        """Queue a new run, which begins at once where a slot is free, and return its id.

        One that is started `paused` stands before its first epoch, to be trained step by step.

        Raises:
            ConfigError: when a setting is beyond what this server allows.
            EngineUnavailableError: when this machine cannot run the engine that was asked for.
            FrozenError: when the teacher lets no new runs start.
            TooManyRunsError: when there are as many runs as there may be.
        """
        return self._start(config, owner, pace, None, paused)

    def restart(self, run_id: str, config: RunConfig, owner: str, pace: Pace, *, paused: bool = False) -> str:
        """Start a new run in the place of an old one, which is stopped if it is live and the owner's.

        Raises:
            DpdashError: as in `start`; the old run then goes on.
        """
        old = self._roster.get(run_id)
        is_owned = old is not None and old.owner == owner
        return self._start(config, owner, pace, old if is_owned else None, paused)

    def pause(self, run_id: str, owner: str) -> None:
        """Stand still before the next epoch and give the slot, or the place in the queue, to others."""
        run = self._steered(run_id, owner)
        if run is not None:
            self._roster.pause(run)

    def resume(self, run_id: str, owner: str) -> None:
        """Go on as soon as there is a slot."""
        run = self._steered(run_id, owner)
        if run is not None:
            self._roster.resume(run)

    def step(self, run_id: str, owner: str) -> None:
        """Train exactly one epoch and stand still after it; that needs no slot."""
        run = self._steered(run_id, owner)
        if run is not None:
            self._roster.step(run)

    def trace_step(self, run_id: str, owner: str) -> None:
        """Take the next step apart; the run trains on, or stands on, meanwhile."""
        run = self._steered(run_id, owner)
        if run is not None:
            run.control.trace_step()

    def stop(self, run_id: str, owner: str) -> None:
        """End the run before its next epoch; one that still waits to begin ends at once."""
        run = self._steered(run_id, owner)
        if run is not None:
            self._roster.stop(run, StopReason.ASKED)

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
            self._roster.set_pace(run, pace)

    @property
    def limits(self) -> Limits:
        """What this server allows a browser."""
        return self._limits

    @property
    def refresh_seconds(self) -> float:
        """Seconds between two updates of a live page: the more pages are open, the more."""
        return self._crowd.refresh_seconds

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
        live = (run for run in self._roster.all() if not run.is_over)
        runs = tuple(self._roster.snapshot(run, self._archive.health_of(run.run_id)) for run in live)
        return RoomSnapshot(
            is_frozen=self._room.is_frozen,
            spotlight=self._room.spotlight,
            generation=self._room.generation,
            num_pages=self._crowd.num_pages,
            num_browsers=self._crowd.num_browsers,
            refresh_seconds=self._crowd.refresh_seconds,
            runs=tuple(run for run in runs if run.is_live),
        )

    def freeze(self, frozen: bool) -> None:
        """Refuse new runs, or allow them again; those that train or wait go on."""
        self._room.freeze(frozen)

    def stop_all(self) -> int:
        """Stop everybody's runs, which stay stored; how many were not stopped before."""
        return self._roster.stop_all(StopReason.TEACHER)

    def clear(self) -> None:
        """Stop everybody's runs, end the spotlight, and send every page back to the preview."""
        self._room.clear(self.stop_all)

    def put_in_spotlight(self, run_id: str | None) -> None:
        """Show a run on every page until another one, or None, takes its place.

        Raises:
            UnknownRunError: when there is no such run.
            StoreError: when it is not live and the database cannot be read.
        """
        if run_id is not None:
            self.snapshot(run_id)
        self._room.put_in_spotlight(run_id)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call a listener, from any thread, whenever the freeze, the spotlight or the generation changes."""
        self._room.on_change(listener)

    def browser_opened(self, owner: str) -> None:
        """A browser opened a page."""
        self._crowd.opened(owner)

    def browser_closed(self, owner: str) -> None:
        """A page of a browser is gone, perhaps only for a moment: its runs go on for the grace period."""
        self._crowd.closed(owner)

    def stop_abandoned(self) -> None:
        """Stop the runs of browsers that are gone for longer than the grace period; called every few seconds."""
        abandoned = self._crowd.take_abandoned()
        for run in self._roster.all():
            if run.owner in abandoned:
                self._roster.stop(run, StopReason.BROWSER_GONE)

    def forget_oldest(self) -> None:
        """Leave all but the latest runs that are over to the store; called every few seconds."""
        # The one that everybody watches stays: perhaps there is no store to read it from.
        over = (run for run in self._roster.all() if run.is_over and run.run_id != self.spotlight)
        surplus = tuple(over)[:-MAX_FINISHED_IN_MEMORY]
        if surplus:
            # So that the store knows them before nobody else does.
            self._archive.flush()
            self._roster.forget(surplus)

    def shutdown(self, timeout: float = 5.0) -> None:
        """Stop all runs, save them and end every thread, within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self._closing.set()
        self._roster.close()
        for run in self._roster.all():
            run.join(max(0.0, deadline - time.monotonic() - STORE_SHARE_OF_SHUTDOWN * timeout))
        self._watch.join(max(0.0, deadline - time.monotonic() - STORE_SHARE_OF_SHUTDOWN * timeout))
        self._archive.close(max(0.0, deadline - time.monotonic()))

    def _start(self, config: RunConfig, owner: str, pace: Pace, in_place_of: LiveRun | None, paused: bool) -> str:
        allowed = self._allowed(config)
        engine = self._find_engine(allowed)
        self._crowd.seen(owner)
        run = LiveRun(new_run_id(), allowed, owner, pace, engine, self._store, self._clock)
        with self._room.admitting():
            self._roster.add(run, in_place_of, paused=paused)
        return run.run_id

    def _allowed(self, config: RunConfig) -> RunConfig:
        # Checked anew, for a config can be copied with other values unchecked.
        checked = RunConfig.parse(dict(config))
        problems = self._limits.problems(checked)
        if problems:
            raise ConfigError(problems)
        return checked

    def _steered(self, run_id: str, owner: str) -> LiveRun | None:
        """The run that a command is for; None when it is over."""
        require_possible(run_id)
        self._crowd.seen(owner)
        run = self._roster.get(run_id)
        found = run or self._archive.record(run_id)
        if found is None:
            raise unknown_run(run_id)
        if found.owner != owner:
            raise NotOwnerError(
                N_("Only the browser that started this run can steer it. Press Start for a run of your own.")
            )
        return run if run is not None and not run.is_over else None

    def _look_around(self) -> None:
        while not self._closing.wait(LOOK_AROUND_SECONDS):
            self.stop_abandoned()
            self.forget_oldest()
            self._archive.look_around()
            self.kept.tidy()
