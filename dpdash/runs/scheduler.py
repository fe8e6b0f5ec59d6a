"""The runs of this process and the slots in which they train."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dpdash.core.errors import N_, DpdashError, TooManyRunsError
from dpdash.core.events import StopReason
from dpdash.runs.admission import Admission
from dpdash.runs.ids import new_run_id
from dpdash.runs.listeners import Listeners
from dpdash.runs.pace import Pace
from dpdash.runs.run import LiveRun
from dpdash.runs.slots import Lane, Slots
from dpdash.runs.snapshot import RunSnapshot, of_live_run
from dpdash.store.errors import StoreHealth

NO_SLOT: Final = N_(
    "Runs have every slot at full speed of this server, and a step that no run does needs one. Try again when one "
    "of them is over, or pause one."
)


class Scheduler:
    """Launches, pauses and ends runs as slots allow; safe for threads.

    Commands to a run that is over do nothing.
    """

    def __init__(self, slots: Slots, max_runs_per_owner: int, max_ranks: int, listeners: Listeners) -> None:
        self._lock = threading.RLock()
        self._slots = slots
        self._admission = Admission(max_runs_per_owner, slots.max_live_runs, max_ranks)
        self._runs: dict[str, LiveRun] = {}
        self._arriving: dict[str, LiveRun] = {}
        """Those that the store is being told of: they count, and nobody sees or steers them yet."""
        self._is_closing = False
        self._listeners = listeners

    def get(self, run_id: str) -> LiveRun | None:
        """A run by its id."""
        return self._runs.get(run_id)

    def all(self) -> tuple[LiveRun, ...]:
        """Every run, in the order of their starts."""
        with self._lock:
            return tuple(self._runs.values())

    def num_training(self) -> int:
        """How many runs hold a slot."""
        with self._lock:
            return sum(self._slots.num_held(lane) for lane in Lane)

    def num_unwanted(self) -> int:
        """Slots at full speed that are idle or a trial's, and that nobody waits for but trials."""
        with self._lock:
            wanted = self._slots.wanted(Lane.FULL_SPEED)
            runs = [self._runs.get(name) for name in wanted]
            num_trials = sum(run is not None and run.sweep_id is not None for run in runs)
            return self._slots.capacity(Lane.FULL_SPEED) - (len(runs) - num_trials)

    def snapshot(self, run: LiveRun, saved: StoreHealth, max_age_seconds: float = 0.0) -> RunSnapshot:
        """A run at this moment, or so long ago."""
        with self._lock:
            return of_live_run(run, self._slots, saved, max_age_seconds)

    def add(self, run: LiveRun, in_place_of: LiveRun | None, *, paused: bool = False) -> None:
        """Take in a new run, which begins at once where a slot is free; it may take over an old one's.

        A paused one asks for no slot and stands before its first epoch.

        Raises:
            DpdashError: when the process is ending.
            TooManyRunsError: when there are as many live runs as there may be; the old one then goes on.
        """
        with self._lock:
            if self._is_closing:
                raise DpdashError(N_("The server is ending, so no run can start. Try again in a minute."))
            self._admission.check((*self._runs.values(), *self._arriving.values()), run, in_place_of)
            self._arriving[run.run_id] = run
        try:
            # Without the lock, for all pages read the scheduler: a run that goes on waits for the disk here.
            run.register()
        finally:
            with self._lock:
                del self._arriving[run.run_id]
        with self._lock:
            self._runs[run.run_id] = run
            if self._is_closing:
                self.stop(run, StopReason.SHUTDOWN)
                return
            if paused:
                run.pause_before_launch()
                if in_place_of is not None:
                    self.stop(in_place_of, StopReason.ASKED)
                return
            lane = run.pace.lane(run.config)
            if in_place_of is not None and not in_place_of.is_over:
                if self._slots.hand_over(in_place_of.run_id, run.run_id, lane):
                    self._grant((run.run_id,))
                self.stop(in_place_of, StopReason.ASKED)
            self._grant(self._slots.ask(run.run_id, lane))

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot at full speed, for work of this process that is no run and does not queue.

        Raises:
            TooManyRunsError: when runs hold them all.
        """
        name = new_run_id()
        with self._lock:
            if not self._slots.take(name, Lane.FULL_SPEED):
                raise TooManyRunsError(NO_SLOT)
        try:
            yield
        finally:
            with self._lock:
                self._grant(self._slots.release(name))

    def pause(self, run: LiveRun) -> None:
        """Stand still before the next epoch, and give slot or place to others."""
        with self._lock:
            if run.is_over:
                return
            if run.is_launched or run.control.is_paused:
                run.control.pause()
            else:
                run.pause_before_launch()
            self._grant(self._slots.release(run.run_id))

    def pause_all(self) -> tuple[LiveRun, ...]:
        """Let every run that trains, or waits to train, stand still; those that did not before."""
        with self._lock:
            moving = [
                run
                for run in self._runs.values()
                if not run.is_over and run.control.stop_reason is None and not run.control.is_paused
            ]
            # Those that wait first: each that gives its slot away would let one of them begin.
            for run in sorted(moving, key=lambda run: self._slots.lane_held(run.run_id) is not None):
                self.pause(run)
            return tuple(moving)

    def resume(self, run: LiveRun) -> None:
        """Go on as soon as there is a slot."""
        with self._lock:
            if not run.is_over and run.control.is_paused:
                self._grant(self._slots.ask(run.run_id, run.pace.lane(run.config)))

    def step(self, run: LiveRun) -> None:
        """Train one epoch and stand still; one epoch is too short to queue for."""
        with self._lock:
            if run.is_over:
                return
            run.control.pause()
            run.control.step_once()
            if not run.is_launched:
                self._launch(run)
            self._grant(self._slots.release(run.run_id))

    def set_pace(self, run: LiveRun, pace: Pace) -> None:
        """Change the pace; a run that needs another lane keeps its old pace until it has a slot there."""
        with self._lock:
            if run.is_over:
                return
            run.pace = pace
            lane = pace.lane(run.config)
            if self._slots.lane_held(run.run_id) or self._slots.lane_waited_for(run.run_id):
                self._grant(self._slots.ask(run.run_id, lane))
            if self._slots.lane_held(run.run_id) is not Lane.PACED or lane is Lane.PACED:
                run.control.set_epochs_per_second(pace.epochs_per_second(run.config))

    def stop(self, run: LiveRun, reason: StopReason) -> None:
        """End a run before its next epoch; one that has not begun ends at once."""
        with self._lock:
            if run.is_over:
                return
            if not run.is_launched:
                run.stop_before_launch(reason)
                self._ended(run)
                return
            run.control.stop(reason)
            # One that trains keeps its slot until its thread has ended: until then it is busy.
            if self._slots.lane_held(run.run_id) is None:
                self._grant(self._slots.release(run.run_id))

    def stop_all(self, reason: StopReason) -> int:
        """End every run; how many of them nobody had stopped before."""
        with self._lock:
            live = [run for run in self.all() if not run.is_over and run.control.stop_reason is None]
            for run in live:
                self.stop(run, reason)
            return len(live)

    def forget(self, runs: tuple[LiveRun, ...]) -> None:
        """Keep these runs no longer."""
        with self._lock:
            for run in runs:
                self._runs.pop(run.run_id, None)

    def close(self) -> None:
        """Ask every run to stop, and let none begin any more."""
        with self._lock:
            self._is_closing = True
            for run in self.all():
                self.stop(run, StopReason.SHUTDOWN)

    def _grant(self, granted: tuple[str, ...]) -> None:
        """Let the runs that were granted a slot train."""
        if self._is_closing:
            return
        for run_id in granted:
            run = self._runs[run_id]
            run.control.set_epochs_per_second(run.pace.epochs_per_second(run.config))
            run.control.resume()
            if not run.is_launched:
                self._launch(run)

    def _launch(self, run: LiveRun) -> None:
        run.launch(on_end=lambda: self._ended(run))

    def _ended(self, run: LiveRun) -> None:
        with self._lock:
            self._grant(self._slots.release(run.run_id))
        # Whoever watches a run that moves sees its end; a page on which it stood still looks no more by itself. A
        # sweep waits for its trials.
        if run.control.is_paused or run.sweep_id is not None:
            self._listeners.tell(run.run_id)
