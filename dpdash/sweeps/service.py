"""The sweeps of this process: who may start and stop them, and which go on after a restart."""

import threading
import time
from contextlib import suppress
from typing import Final, Self

from dpdash.core.errors import (
    N_,
    ConfigError,
    DpdashError,
    FrozenError,
    NotOwnerError,
    StoreError,
    TooManyRunsError,
    UnknownRunError,
)
from dpdash.core.limits import Limits
from dpdash.core.settings import ServerSettings
from dpdash.core.sweep import Sweep, SweepPlan, SweepStatus
from dpdash.runs.ids import new_run_id
from dpdash.runs.room import FROZEN
from dpdash.runs.service import RunService
from dpdash.store.plans import Head, Keeper, SweepTable
from dpdash.sweeps.live import LiveSweep, Share, SweepSnapshot
from dpdash.training import catalog

MOST_LISTED: Final = 30
MOST_LIVE: Final = 16
"""Sweeps of all browsers that search at the same time; each has a thread, and most of them wait."""
SLOTS_PER_PLACE: Final = 2
"""Of the slots for full speed, sweeps have one in so many whoever presses Start, and beyond those any idle one."""


def least_places(full_speed_slots: int) -> int:
    """How many trials all sweeps of a server may have at a time when others want the slots too."""
    return max(1, full_speed_slots // SLOTS_PER_PLACE)


class SweepService:
    """Starts, stops and continues sweeps; safe for threads."""

    def __init__(self, runs: RunService, table: SweepTable, limits: Limits, share: Share) -> None:
        self._runs = runs
        self._table = table
        self._keeper = Keeper(table)
        self._limits = limits
        self._share = share
        self._lock = threading.Lock()
        self._live: dict[str, LiveSweep] = {}
        self._is_closing = False
        runs.on_change(self._look)

    @classmethod
    def open(cls, runs: RunService, settings: ServerSettings) -> Self:
        """A service whose trials are runs of `runs`, and which keeps what it finds where those are kept."""
        share = Share(least_places(settings.full_speed_slots), runs.num_unwanted_slots)
        return cls(runs, runs.runs.sweeps, runs.limits, share)

    @property
    def problem(self) -> StoreError | None:
        """Why the latest change of a sweep could not be saved; None where it was."""
        return self._keeper.problem

    def start(self, plan: SweepPlan, owner: str) -> str:
        """Begin to search, and return the sweep's id.

        Raises:
            ConfigError: when the plan is beyond what this server allows.
            EngineUnavailableError: when this machine cannot train all of it.
            FrozenError: when the teacher lets nothing new start.
            TooManyRunsError: when there are as many sweeps as there may be.
        """
        problems = {
            str(problem): problem for corner in plan.corners() for problem in self._limits.problems(corner)
        }
        if problems:
            raise ConfigError(tuple(problems.values()))
        for corner in plan.corners():
            catalog.require(corner)
        if self._runs.room.is_frozen:
            raise FrozenError(FROZEN)
        sweep = Sweep(new_run_id(), owner, time.time(), plan)
        with self._lock:
            self._require_room(owner)
            self._take(sweep.sweep_id)
            self._keeper.keep(sweep)
            self._launch(sweep)
        return sweep.sweep_id

    def stop(self, sweep_id: str, owner: str) -> None:
        """Start no further trial and end those that train; does nothing for a sweep that is over.

        Raises:
            NotOwnerError: when another browser started it.
        """
        live = self._searching(sweep_id)
        if live is None:
            return
        if live.snapshot().sweep.owner != owner:
            raise NotOwnerError(N_("Only the browser that started this sweep can stop it."))
        live.stop()

    def stop_all(self) -> None:
        """End everybody's sweeps, as a teacher does; what they have found stays."""
        for live in tuple(self._live.values()):
            live.stop(SweepStatus.STOPPED_BY_TEACHER)

    def continue_interrupted(self) -> int:
        """Go on with the sweeps whose process ended before they did; how many there are.

        Those that another process goes on with are left to it.
        """
        left: tuple[Sweep, ...] = ()
        with suppress(StoreError):
            left = self._table.searching()
        with self._lock:
            return sum(self._go_on(sweep.sweep_id) for sweep in left)

    def resume(self, sweep_id: str) -> None:
        """Go on with one sweep whose process ended before it did.

        Raises:
            DpdashError: when there is none, or it is over, or another process goes on with it.
            StoreError: when the database cannot be read.
        """
        sweep = self._table.get(sweep_id)
        if sweep is None or sweep.status.is_over:
            raise UnknownRunError(
                N_("There is no sweep {sweep_id} here that could go on. Start a new one."), sweep_id=sweep_id
            )
        with self._lock:
            if not self._go_on(sweep_id):
                raise DpdashError(
                    N_("Another process goes on with the sweep {sweep_id}. Wait for its end."), sweep_id=sweep_id
                )

    def searching(self, owner: str) -> SweepSnapshot | None:
        """The sweep of a browser that searches now, if there is one."""
        for live in tuple(self._live.values()):
            shown = live.snapshot()
            if shown.is_live and shown.sweep.owner == owner:
                return shown
        return None

    def snapshot(self, sweep_id: str) -> SweepSnapshot | None:
        """A sweep at this moment, or as it was kept; None when there is none with this id."""
        live = self._live.get(sweep_id)
        if live is not None:
            return live.snapshot()
        kept = self._keeper.get(sweep_id)
        return None if kept is None else SweepSnapshot(kept, is_live=False)

    def sweeps(self) -> tuple[Head[SweepPlan], ...]:
        """The latest sweeps, the newest first; only those of this process when the database cannot be read."""
        here = (live.snapshot().sweep for live in tuple(self._live.values()))
        return self._keeper.latest(here, MOST_LISTED)

    def wait(self, sweep_id: str, timeout: float | None = None) -> bool:
        """Wait until a sweep of this process is over; whether it is."""
        live = self._live.get(sweep_id)
        return live is None or live.wait(timeout)

    def close(self, timeout: float) -> None:
        """Leave the sweeps as they are, for the next server to go on with; before the runs are ended."""
        deadline = time.monotonic() + timeout
        with self._lock:
            self._is_closing = True
        for live in tuple(self._live.values()):
            live.leave()
        for sweep_id, live in tuple(self._live.items()):
            live.wait(max(0.0, deadline - time.monotonic()))
            self._let_go(sweep_id)

    def _require_room(self, owner: str) -> None:
        if self.searching(owner) is not None:
            raise TooManyRunsError(
                N_(
                    "A sweep of this browser is searching. Wait for its end, or stop it, and start the next one "
                    "then."
                )
            )
        num_live = sum(live.snapshot().is_live for live in self._live.values())
        if num_live >= MOST_LIVE:
            raise TooManyRunsError(
                N_(
                    "Sweeps of all browsers at the same time must be at most {limit} on this server. "
                    "Received: {received}. Try again when one of them is over."
                ),
                limit=MOST_LIVE,
                received=num_live + 1,
            )

    def _go_on(self, sweep_id: str) -> bool:
        """Search where a sweep stands, unless it is over or searched already; whether this process now does."""
        if self._is_closing or self._searching(sweep_id) is not None or not self._take(sweep_id):
            return False
        # Read again, for the process that had the lock may have ended the sweep.
        sweep = self._keeper.get(sweep_id)
        if sweep is None or sweep.status.is_over:
            self._let_go(sweep_id)
            return False
        self._launch(sweep)
        return True

    def _look(self, _run_id: str | None) -> None:
        for live in tuple(self._live.values()):
            live.look()

    def _launch(self, sweep: Sweep) -> None:
        self._forget_over()
        live = LiveSweep(sweep, self._runs, self._share, self._keep_and_let_go)
        self._live[sweep.sweep_id] = live
        live.start()

    def _keep_and_let_go(self, sweep: Sweep) -> None:
        self._keeper.keep(sweep)
        if sweep.status.is_over:
            self._let_go(sweep.sweep_id, for_good=True)

    def _take(self, sweep_id: str) -> bool:
        """Be the process that goes on with a sweep; False where another one is."""
        try:
            return self._table.take(sweep_id)
        except StoreError as problem:
            # It is searched all the same, and kept as soon as the database can be used.
            self._keeper.problem = problem
            return True

    def _let_go(self, sweep_id: str, *, for_good: bool = False) -> None:
        self._table.let_go(sweep_id, for_good=for_good)

    def _searching(self, sweep_id: str) -> LiveSweep | None:
        live = self._live.get(sweep_id)
        return live if live is not None and live.snapshot().is_live else None

    def _forget_over(self) -> None:
        """What is over is in the store; without one, it stays here until the next sweep of the same browser."""
        if self._keeper.problem is not None:
            return
        for sweep_id, live in tuple(self._live.items()):
            if not live.snapshot().is_live and live.wait(0):
                del self._live[sweep_id]
