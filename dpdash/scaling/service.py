"""The one study that a server measures at a time, and those that it has measured."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from dpdash.core.cores import num_cores
from dpdash.core.errors import N_, ConfigError, FrozenError, NotOwnerError, StoreError, TooManyRunsError
from dpdash.core.limits import Limits, too_large
from dpdash.core.scaling.plan import StudyPlan
from dpdash.core.scaling.study import Study
from dpdash.runs.ids import new_run_id
from dpdash.runs.room import FROZEN
from dpdash.scaling.live import LiveStudy, Measuring, MeasuringProcess, StudySnapshot, is_empty
from dpdash.scaling.measure import require_engines
from dpdash.store.plans import Head, Keeper, StudyTable
from dpdash.training.hardware import num_gpus

LONGEST_SECONDS: Final = 120.0
"""Of a study that a page starts, so that nobody has the machine for long."""
MOST_LISTED: Final = 50


def new_study(plan: StudyPlan, owner: str) -> Study:
    """A study of this machine of which nothing is measured yet."""
    return Study(new_run_id(), owner, time.time(), plan, num_cores(), num_gpus())


class ScalingService:
    """Starts and cancels studies; safe for threads."""

    def __init__(
        self,
        limits: Limits,
        table: StudyTable,
        is_frozen: Callable[[], bool],
        begin: Callable[[], Measuring] = MeasuringProcess,
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_over` is called, from another thread, whenever a study has come to its end."""
        self._limits = limits
        self._table = table
        self._keeper = Keeper(table)
        self._is_frozen = is_frozen
        self._begin = begin
        self._on_over = on_over
        self._lock = threading.Lock()
        self._live: LiveStudy | None = None

    @property
    def problem(self) -> StoreError | None:
        """Why the latest study could not be saved; None where it was."""
        return self._keeper.problem

    def start(self, plan: StudyPlan, owner: str) -> str:
        """Begin to measure, and return the study's id.

        Raises:
            ConfigError: when the plan is beyond what this server allows.
            EngineUnavailableError: when this machine cannot measure all of it.
            FrozenError: when the teacher lets nothing new start.
            TooManyRunsError: when a study is being measured.
        """
        # The most samples are in the last point; how long a run is measured, the plan bounds and not its epochs.
        largest = plan.config(plan.points[-1]).model_copy(update={"epochs": 1})
        memory = too_large("samples", plan.samples, plan.most_values)
        problems = (*self._limits.problems(largest), *(() if memory is None else (memory,)))
        if problems:
            raise ConfigError(problems)
        require_engines(plan)
        study = new_study(plan, owner)
        with self._lock:
            if self._is_frozen():
                raise FrozenError(FROZEN)
            if self._measuring() is not None:
                raise TooManyRunsError(
                    N_(
                        "A study is being measured on this server, and two would disturb each other. Wait for "
                        "its end."
                    )
                )
            self._live = LiveStudy(study, LONGEST_SECONDS, self._keeper.keep, self._begin, self._on_over)
            self._live.start()
        return study.study_id

    def cancel(self, owner: str) -> None:
        """End the study that is being measured; what is measured stays. Does nothing where there is none.

        Raises:
            NotOwnerError: when another browser started it.
        """
        live = self._measuring()
        if live is None:
            return
        if live.snapshot().study.owner != owner:
            raise NotOwnerError(N_("Only the browser that started this study can cancel it."))
        live.cancel()

    def stop_all(self) -> None:
        """End what is being measured, whoever started it: for the teacher, as with everybody's runs."""
        live = self._measuring()
        if live is not None:
            live.cancel()

    def measuring(self) -> StudySnapshot | None:
        """The study that is being measured, if there is one."""
        live = self._measuring()
        return None if live is None else live.snapshot()

    def snapshot(self, study_id: str) -> StudySnapshot | None:
        """A study at this moment, or as it was kept; None when there is none with this id."""
        shown = self._latest()
        if shown is not None and shown.study.study_id == study_id:
            return shown
        kept = self._keeper.get(study_id)
        if kept is None:
            return None
        if kept.status.is_over:
            return StudySnapshot(kept, None, is_cancelling=False)
        with suppress(StoreError):
            is_held = self._table.is_held(study_id)
            return StudySnapshot(kept, None, is_cancelling=False, is_elsewhere=is_held, was_left=not is_held)
        return None

    def studies(self) -> tuple[Head[StudyPlan], ...]:
        """The latest studies, the newest first; only the one in memory when the database cannot be read."""
        shown = self._latest()
        return self._keeper.latest(() if shown is None else (shown.study,), MOST_LISTED)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being measured; whether that is so."""
        live = self._live
        return live is None or live.wait(timeout)

    def close(self, timeout: float) -> None:
        """Cancel what is being measured and wait for its end."""
        live = self._measuring()
        if live is not None:
            live.cancel()
            live.wait(timeout)

    def _latest(self) -> StudySnapshot | None:
        """The study that was started last, unless it was cancelled before anything came of it."""
        live = self._live
        shown = None if live is None else live.snapshot()
        return None if shown is None or is_empty(shown.study) else shown

    def _measuring(self) -> LiveStudy | None:
        live = self._live
        return None if live is None or live.snapshot().study.status.is_over else live
