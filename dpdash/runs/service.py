"""The runs of this process: who may steer them, which of them train now, and what they look like at a moment."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from dpdash.config import RunConfig
from dpdash.engines import catalog
from dpdash.engines.base import Engine
from dpdash.errors import N_, ConfigError, NotOwnerError, StoreError, UnknownRunError
from dpdash.events import EpochBlock, StopReason
from dpdash.history import Row
from dpdash.runs.archive import Archive
from dpdash.runs.live import LiveRun
from dpdash.runs.pace import Pace
from dpdash.runs.presence import Presence
from dpdash.runs.roster import Roster
from dpdash.runs.snapshot import RunSnapshot, of_stored_run
from dpdash.runs.store import RunRecord, RunStore, StoreHealth
from dpdash.settings import ServerSettings

__all__ = ["Pace", "RunService", "RunSnapshot"]

RUN_ID_BYTES: Final = 9
MAX_FINISHED_IN_MEMORY: Final = 64
LOOK_AROUND_SECONDS: Final = 5.0
"""How often the service looks for browsers that are gone and for other processes that died."""
STORE_SHARE_OF_SHUTDOWN: Final = 0.4
LONGEST_ID_SHOWN: Final = 40

_log = logging.getLogger(__name__)


class RunService:
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
        self._archive = Archive(store, store_problem)
        self._find_engine = find_engine
        self._clock = clock
        self._steady_clock = steady_clock
        self._roster = Roster(settings.full_speed_slots, settings.paced_slots)
        self._presence = Presence(settings.grace_seconds)
        self._presence_lock = threading.Lock()
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._look_around, name="run-watch", daemon=True)
        self._watch.start()

    @classmethod
    def open(cls, settings: ServerSettings, find_engine: Callable[[RunConfig], Engine] = catalog.require) -> Self:
        """A service on the database of the settings, or without one; then `health` says why."""
        try:
            return cls(settings, RunStore(settings.database_url), find_engine=find_engine)
        except StoreError as problem:
            _log.warning("Runs are not saved: %s", problem)
            return cls(settings, None, problem, find_engine)

    def start(self, config: RunConfig, owner: str, pace: Pace, *, paused: bool = False) -> str:
        """Queue a new run, which begins at once where a slot is free, and return its id.

        One that is started `paused` stands before its first epoch, to be trained step by step.

        Raises:
            EngineUnavailableError: when this machine cannot run the engine that was asked for.
        """
        return self._start(config, owner, pace, None, paused)

    def restart(self, run_id: str, config: RunConfig, owner: str, pace: Pace, *, paused: bool = False) -> str:
        """Start a new run in the place of an old one, which is stopped if it is live and the owner's.

        Raises:
            EngineUnavailableError: as in `start`; the old run then goes on.
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

    def snapshot(self, run_id: str) -> RunSnapshot:
        """A run at this moment, live or from the store.

        Raises:
            UnknownRunError: when there is no such run.
            StoreError: when it is not live and the database cannot be read.
        """
        run = self._roster.get(run_id)
        if run is not None:
            return self._roster.snapshot(run, self._archive.health_of(run_id))
        stored = self._archive.run(run_id)
        if stored is None:
            raise _unknown(run_id)
        return of_stored_run(stored, self._archive.health_of(run_id))

    def row(self, run_id: str, epoch: int) -> Row | None:
        """One epoch, exactly where the store has it, else the nearest row that is kept in memory.

        Raises:
            UnknownRunError: when there is no such run.
        """
        return self._archive.row(run_id, epoch) or self.snapshot(run_id).history.row(epoch)

    def rows(self, run_id: str) -> EpochBlock | None:
        """Every epoch that is saved; None without a store or before the first.

        Raises:
            UnknownRunError: when there is no such run.
            StoreError: when the database cannot be read.
        """
        self.snapshot(run_id)
        return self._archive.rows(run_id)

    def runs(self, limit: int = 100) -> tuple[RunRecord, ...]:
        """The latest runs, the newest first; only those in memory when the database cannot be read."""
        in_memory = {run.run_id: run.record() for run in reversed(self._roster.all())}
        stored = self._archive.records(limit)
        known = {record.run_id for record in stored}
        unsaved = [record for run_id, record in in_memory.items() if run_id not in known]
        saved = [in_memory.get(record.run_id, record) for record in stored]
        newest_first = sorted([*unsaved, *saved], key=lambda record: record.created_at, reverse=True)
        return tuple(newest_first[:limit])

    def wait(self, run_id: str, timeout: float | None = None) -> bool:
        """Wait until a run of this process is over, at most `timeout` seconds; whether it is."""
        run = self._roster.get(run_id)
        return run is None or run.over.wait(timeout)

    def num_training(self) -> int:
        """How many runs hold a slot now."""
        return self._roster.num_training()

    @property
    def health(self) -> StoreHealth:
        """Whether runs are being saved and, if not, why."""
        return self._archive.health

    def browser_opened(self, owner: str) -> None:
        """A browser opened a page."""
        with self._presence_lock:
            self._presence.opened(owner)

    def browser_closed(self, owner: str) -> None:
        """A page of a browser is gone, perhaps only for a moment: its runs go on for the grace period."""
        with self._presence_lock:
            self._presence.closed(owner, self._steady_clock())

    def stop_abandoned(self) -> None:
        """Stop the runs of browsers that are gone for longer than the grace period; called every few seconds."""
        with self._presence_lock:
            abandoned = self._presence.take_abandoned(self._steady_clock())
        for run in self._roster.all():
            if run.owner in abandoned:
                self._roster.stop(run, StopReason.BROWSER_GONE)

    def forget_oldest(self) -> None:
        """Leave all but the latest runs that are over to the store; called every few seconds."""
        surplus = tuple(run for run in self._roster.all() if run.is_over)[:-MAX_FINISHED_IN_MEMORY]
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
        self._watch.join(max(0.0, deadline - time.monotonic()))
        self._archive.close(max(0.0, deadline - time.monotonic()))

    def _start(self, config: RunConfig, owner: str, pace: Pace, in_place_of: LiveRun | None, paused: bool) -> str:
        engine = self._find_engine(config)
        self._saw(owner)
        run_id = secrets.token_urlsafe(RUN_ID_BYTES)
        run = LiveRun(run_id, config, owner, pace, engine, self._store, self._clock)
        self._roster.add(run, in_place_of, paused=paused)
        return run_id

    def _steered(self, run_id: str, owner: str) -> LiveRun | None:
        """The run that a command is for; None when it is over."""
        self._saw(owner)
        run = self._roster.get(run_id)
        found = run or self._archive.record(run_id)
        if found is None:
            raise _unknown(run_id)
        if found.owner != owner:
            raise NotOwnerError(
                N_("Only the browser that started this run can steer it. Press Start for a run of your own.")
            )
        return run if run is not None and not run.is_over else None

    def _saw(self, owner: str) -> None:
        with self._presence_lock:
            self._presence.seen(owner, self._steady_clock())

    def _look_around(self) -> None:
        while not self._closing.wait(LOOK_AROUND_SECONDS):
            self.stop_abandoned()
            self.forget_oldest()
            self._archive.interrupt_dead()


def _unknown(run_id: str) -> UnknownRunError:
    shown = run_id if len(run_id) <= LONGEST_ID_SHOWN else run_id[: LONGEST_ID_SHOWN - 1] + "…"
    return UnknownRunError(
        N_("There is no run {run_id} here, perhaps because it was never saved. Press Start for a new one."),
        run_id=shown,
    )
