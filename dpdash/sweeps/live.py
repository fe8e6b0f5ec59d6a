"""A sweep that searches: in a thread of its own, whose trials are ordinary runs of the run service."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
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
from dpdash.core.sweep import Sweep, SweepStatus, Trial, TrialStatus
from dpdash.runs.room import FROZEN
from dpdash.runs.service import Pace, RunService, RunSnapshot
from dpdash.sweeps.objective import loss_above_optimum, report_epoch, settled
from dpdash.sweeps.search import NUM_REPORTS, Asked, Search

POLL_SECONDS: Final = 0.05
"""How often the trials that train are looked at; the end of one is seen at once."""
WAIT_SECONDS: Final = 0.5
"""How often one that may not start is tried again."""
WAITS_FOR_PLACE: Final = N_(
    "All sweeps together train at most {limit} runs at a time. The next trial starts when one of them is over."
)

_log = logging.getLogger(__name__)


class Share:
    """How many trials all sweeps of a process may have at a time; safe for threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._free = threading.Semaphore(most)

    def take(self) -> bool:
        """Take a place; whether there was one."""
        return self._free.acquire(blocking=False)

    def give_back(self) -> None:
        self._free.release()


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
        folder: Path | None,
        keep: Callable[[Sweep], None] = lambda _sweep: None,
    ) -> None:
        """`keep` is given the sweep after each change, on the thread that searches."""
        self._sweep = sweep
        self._runs = runs
        self._share = share
        self._folder = folder
        self._keep = keep
        self._lock = threading.Lock()
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

    def leave(self) -> None:
        """Do nothing more here: the sweep goes on when a server starts again."""
        self._closing.set()
        self._told.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing more is done here; whether that is so."""
        return self._over.wait(timeout)

    def _work(self) -> None:
        try:
            search = Search(self._sweep, self._folder)
            self._queue = list(search.unfinished)
            while not self._closing.is_set() and not self._is_done(search):
                self._waiting_for = self._start_trials(search)
                self._follow(search)
                self._rest()
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
        while self._ending is None and (self._queue or self._has_more(search)):
            if self._runs.room.is_frozen:
                return FrozenError(FROZEN)
            if not self._share.take():
                return None if self._training else DpdashError(WAITS_FOR_PLACE, limit=self._share.most)
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
                self._ended(search, replace(self._trial(number), status=TrialStatus.FAILED))
                continue
            self._report(search, number, shown)
            if shown.status.is_over:
                self._settle(search, number, shown)
            elif self._ending is not None or (self._sweep.plan.prunes and search.is_behind(number)):
                self._runs.end_trial(run_id)

    def _report(self, search: Search, number: int, shown: RunSnapshot) -> None:
        if not self._sweep.plan.prunes:
            return
        for report in range(1, NUM_REPORTS + 1):
            row = shown.history.row(report_epoch(shown.config, report))
            if row is None or report_epoch(shown.config, report) > shown.history.num_epochs:
                return
            search.report(number, report, loss_above_optimum(shown.config, row.loss))

    def _settle(self, search: Search, number: int, shown: RunSnapshot) -> None:
        ended = shown.history.ended
        if shown.status is RunStatus.INTERRUPTED:
            # This server is ending: the trial is trained again by the next one.
            self._closing.set()
            return
        if isinstance(ended, RunStopped) and ended.reason is StopReason.TEACHER:
            self.stop(SweepStatus.STOPPED_BY_TEACHER)
        plan, rows = self._sweep.plan, None
        if plan.objective.is_reaching and shown.history.width > 1:
            with suppress(DpdashError):
                rows = self._runs.runs.rows(shown.run_id)
        trial = settled(self._trial(number), shown.config, shown.history, plan.objective, rows)
        if trial.status is TrialStatus.PRUNED and self._ending is not None:
            trial = replace(trial, status=TrialStatus.STOPPED)
        self._ended(search, trial)

    def _ended(self, search: Search, trial: Trial) -> None:
        del self._training[trial.number]
        self._share.give_back()
        self._end(search, trial)

    def _end(self, search: Search, trial: Trial) -> None:
        search.finish(trial.number, trial.status, trial.value)
        self._put(trial)

    def _trial(self, number: int) -> Trial:
        return next(trial for trial in self._sweep.trials if trial.number == number)

    def _put(self, trial: Trial) -> None:
        trials = {known.number: known for known in self._sweep.trials} | {trial.number: trial}
        with self._lock:
            self._sweep = replace(self._sweep, trials=tuple(trials[number] for number in sorted(trials)))
        self._keep(self._sweep)

    def _finish(self, status: SweepStatus, message: str = "") -> None:
        for run_id in self._training.values():
            self._runs.end_trial(run_id)
        trials = tuple(
            trial if trial.status.is_over else replace(trial, status=TrialStatus.STOPPED)
            for trial in self._sweep.trials
        )
        with self._lock:
            self._sweep = replace(self._sweep, status=status, trials=trials, message=message)
        self._keep(self._sweep)

    def _rest(self) -> None:
        """Until a trial ends, or somebody says something, or it is time to look."""
        self._told.clear()
        if self._closing.is_set():
            return
        if self._training:
            self._runs.runs.wait(next(iter(self._training.values())), POLL_SECONDS)
        elif self._waiting_for is not None:
            self._told.wait(WAIT_SECONDS)
