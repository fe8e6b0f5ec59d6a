"""A sweep that searches: in a thread of its own, whose trials are ordinary runs of the run service."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from dpdash.core.errors import (
    N_,
    ConfigError,
    DpdashError,
    EngineUnavailableError,
    FrozenError,
    StoreError,
    UnknownRunError,
)
from dpdash.core.events import RunStatus, RunStopped, StopReason
from dpdash.core.sweep import SearchMethod, Sweep, SweepStatus, Trial, TrialStatus
from dpdash.runs.room import FROZEN
from dpdash.runs.service import Pace, RunService, RunSnapshot
from dpdash.sweeps.objective import loss_above_optimum, report_epoch, settled
from dpdash.sweeps.search import NUM_REPORTS, Asked, Search

POLL_SECONDS: Final = 0.05
"""How often trials that may fall behind are looked at; the end of one is told at once."""
WAIT_SECONDS: Final = 0.5
"""How often one that may not start is tried again."""
KEEP_SECONDS: Final = 0.2
"""Between two times that the sweep is kept: a process that is killed has the trials of so long trained again."""
WAITS_FOR_PLACE: Final = N_(
    "Other runs and sweeps have the slots at full speed. The next trial starts when one of them is over."
)

_log = logging.getLogger(__name__)


class Share:
    """How many trials all sweeps of a process may have at a time; safe for threads."""

    def __init__(self, least: int, num_unwanted: Callable[[], int]) -> None:
        """`least` whatever others want, and as many as there are slots that no other run wants just now."""
        self.least = least
        self._num_unwanted = num_unwanted
        self._lock = threading.Lock()
        self._num_taken = 0

    def take(self) -> bool:
        """Take a place; whether there was one."""
        with self._lock:
            has_place = self._num_taken < max(self.least, self._num_unwanted())
            self._num_taken += has_place
            return has_place

    def give_back(self) -> None:
        with self._lock:
            self._num_taken -= 1


@dataclass(frozen=True)
class SweepSnapshot:
    """A sweep at one moment."""

    sweep: Sweep
    is_live: bool
    """Whether this process goes on with it."""
    is_stopping: bool = False
    waiting_for: DpdashError | None = None
    """Why no trial can start just now."""


class LiveSweep:
    """Asks, starts, follows and ends trials until there are as many as planned; safe for threads."""

    def __init__(
        self,
        sweep: Sweep,
        runs: RunService,
        share: Share,
        keep: Callable[[Sweep], None] = lambda _sweep: None,
    ) -> None:
        """`keep` is given the sweep after each change, on the thread that searches."""
        self._sweep = sweep
        self._runs = runs
        self._share = share
        self._keep = keep
        self._lock = threading.Lock()
        self._is_changed = False
        """Since it was kept."""
        self._keep_at = 0.0
        self._ending: SweepStatus | None = None
        self._waiting_for: DpdashError | None = None
        self._queue: list[Asked] = []
        self._training: dict[int, str] = {}
        """Run of each trial that this process trains, by its number."""
        self._closing = threading.Event()
        self._told = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sweep", daemon=True)

    def start(self) -> None:
        """Begin to search."""
        self._thread.start()

    def snapshot(self) -> SweepSnapshot:
        """As far as it has come."""
        with self._lock:
            is_over = self._sweep.status.is_over
            return SweepSnapshot(
                self._sweep,
                is_live=not is_over,
                is_stopping=self._ending is not None and not is_over,
                waiting_for=None if is_over or self._ending else self._waiting_for,
            )

    def stop(self, status: SweepStatus = SweepStatus.STOPPED) -> None:
        """Start no further trial and end those that train; what was found stays. The first reason is kept."""
        with self._lock:
            self._ending = self._ending or status
        self._told.set()

    def look(self) -> None:
        """Look at the trials now: one of them may be over."""
        self._told.set()

    def leave(self) -> None:
        """Do nothing more here: the sweep goes on when a server starts again."""
        self._closing.set()
        self._told.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing more is done here; whether that is so."""
        return self._over.wait(timeout)

    def _work(self) -> None:
        try:
            search = Search(self._sweep)
            self._queue = list(search.unfinished)
            while not self._closing.is_set() and not self._is_done(search):
                self._told.clear()
                self._follow(search)
                self._waiting_for = self._start_trials(search)
                # While the next ones train.
                self._keep_changes()
                self._ask_ahead(search)
                self._rest()
            self._keep_changes()
            if not self._closing.is_set():
                self._finish(self._ending or SweepStatus.FINISHED)
        except Exception as error:
            _log.exception("A sweep broke.")
            self._finish(SweepStatus.FAILED, f"{type(error).__name__}: {error}")
        finally:
            for _trial in self._training:
                self._share.give_back()
            self._over.set()

    def _is_done(self, search: Search) -> bool:
        if self._training:
            return False
        return self._ending is not None or not (self._queue or self._has_more(search))

    def _has_more(self, search: Search) -> bool:
        return search.num_asked < self._sweep.plan.num_trials

    def _start_trials(self, search: Search) -> DpdashError | None:
        """Start as many as there are places for; why the next one must wait, if it must."""
        while self._may_start(search):
            if self._runs.room.is_frozen:
                return FrozenError(FROZEN)
            if not self._share.take():
                return None if self._training else DpdashError(WAITS_FOR_PLACE)
            num_training = len(self._training)
            try:
                if not self._queue:
                    self._queue.append(search.ask())
                problem = self._start_next(search)
            finally:
                if len(self._training) == num_training:
                    self._share.give_back()
            if problem is not None:
                return problem
        return None

    def _may_start(self, search: Search) -> bool:
        if self._ending is not None or self._closing.is_set() or not (self._queue or self._has_more(search)):
            return False
        # With all that a browser may have, its owner could not press Start.
        return len(self._training) < max(1, self._runs.limits.runs_per_browser - 1)

    def _ask_ahead(self, search: Search) -> None:
        """Have the next trial ready when one ends, where it does not depend on what becomes of the others."""
        is_known = self._sweep.plan.method is not SearchMethod.TPE
        if is_known and self._ending is None and not self._queue and self._has_more(search):
            self._queue.append(search.ask())

    def _start_next(self, search: Search) -> DpdashError | None:
        """Start the first trial of the queue, for which there is a place; why it must be tried again."""
        asked = self._queue[0]
        trial = Trial(asked.number, asked.values, "")
        plan, sweep_id = self._sweep.plan, self._sweep.sweep_id
        try:
            config = plan.config(asked.values)
            run_id = self._runs.start(config, self._sweep.owner, Pace.full_speed(), sweep_id=sweep_id)
        except (ConfigError, EngineUnavailableError) as problem:
            self._queue.pop(0)
            _log.warning("A trial could not be started: %s", problem)
            self._end(search, replace(trial, status=TrialStatus.FAILED))
            return None
        except DpdashError as problem:
            return problem
        self._queue.pop(0)
        self._training[asked.number] = run_id
        self._put(replace(trial, run_id=run_id))
        return None

    def _follow(self, search: Search) -> None:
        for number, run_id in tuple(self._training.items()):
            try:
                shown = self._runs.runs.snapshot(run_id)
            except (UnknownRunError, StoreError):
                self._give_place_back(number)
                self._end(search, replace(self._trial(number), status=TrialStatus.FAILED))
                continue
            self._report(search, number, shown)
            if shown.status.is_over:
                self._settle(search, number, shown)
            elif self._ending is not None or (self._sweep.plan.prunes and search.is_behind(number)):
                self._runs.end_trial(run_id)

    def _report(self, search: Search, number: int, shown: RunSnapshot) -> None:
        if not self._sweep.plan.prunes:
            return
        for report in range(len(search.reports(number)) + 1, NUM_REPORTS + 1):
            row = shown.history.row(report_epoch(shown.config, report))
            if row is None or report_epoch(shown.config, report) > shown.history.num_epochs:
                return
            search.report(number, loss_above_optimum(shown.config, row.loss))

    def _settle(self, search: Search, number: int, shown: RunSnapshot) -> None:
        ended = shown.history.ended
        if shown.status is RunStatus.INTERRUPTED:
            # This server is ending: the trial is trained again by the next one.
            self._closing.set()
            return
        if isinstance(ended, RunStopped) and ended.reason is StopReason.TEACHER:
            self.stop(SweepStatus.STOPPED_BY_TEACHER)
        self._give_place_back(number)
        if self._queue:
            self._start_trials(search)  # what became of this one is worked out while the next one trains
        plan, rows = self._sweep.plan, None
        if plan.objective.is_reaching and shown.history.width > 1:
            with suppress(DpdashError):
                rows = self._runs.runs.rows(shown.run_id)
        known = replace(self._trial(number), reports=search.reports(number))
        trial = settled(known, shown.config, shown.history, plan.objective, rows)
        if trial.status is TrialStatus.PRUNED and self._ending is not None:
            trial = replace(trial, status=TrialStatus.STOPPED)
        self._end(search, trial)

    def _give_place_back(self, number: int) -> None:
        del self._training[number]
        self._share.give_back()

    def _end(self, search: Search, trial: Trial) -> None:
        search.finish(trial.number, trial.status, trial.value)
        self._put(trial)

    def _trial(self, number: int) -> Trial:
        return next(trial for trial in self._sweep.trials if trial.number == number)

    def _put(self, trial: Trial) -> None:
        trials = {known.number: known for known in self._sweep.trials} | {trial.number: trial}
        with self._lock:
            self._sweep = replace(self._sweep, trials=tuple(trials[number] for number in sorted(trials)))
        self._is_changed = True

    def _keep_changes(self) -> None:
        if self._is_changed and (self._closing.is_set() or time.monotonic() >= self._keep_at):
            self._is_changed = False
            self._keep(self._sweep)
            self._keep_at = time.monotonic() + KEEP_SECONDS

    def _finish(self, status: SweepStatus, message: str = "") -> None:
        for run_id in self._training.values():
            self._runs.end_trial(run_id)
        trials = tuple(
            trial if trial.status.is_over else replace(trial, status=TrialStatus.STOPPED)
            for trial in self._sweep.trials
        )
        with self._lock:
            self._sweep = replace(self._sweep, status=status, trials=trials, message=message)
        # Whoever reads that it is over finds its runs whole.
        self._runs.runs.flush()
        self._keep(self._sweep)

    def _rest(self) -> None:
        """Until a trial ends, or somebody says something, or it is time to look."""
        if self._closing.is_set() or not (self._training or self._waiting_for is not None):
            return
        if self._training and self._sweep.plan.prunes:
            self._told.wait(POLL_SECONDS)
        else:
            self._told.wait(KEEP_SECONDS if self._is_changed else WAIT_SECONDS)
