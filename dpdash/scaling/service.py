"""The one study that a server measures at a time, and those that it has measured."""

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from pydantic import BaseModel

from dpdash.core.config import RunConfig
from dpdash.core.cores import num_cores
from dpdash.core.errors import N_, ConfigError, FrozenError, NotOwnerError, StoreError, TooManyRunsError
from dpdash.core.limits import Limits, too_large
from dpdash.core.scaling.exchange_study import DdpStep, ExchangePlan, ExchangeStudy
from dpdash.core.scaling.plan import StudyPlan
from dpdash.core.scaling.study import AnyStudy, Study
from dpdash.runs.ids import new_run_id
from dpdash.runs.room import FROZEN
from dpdash.scaling.collection import Collection
from dpdash.scaling.live import ExchangeSnapshot, LiveStudy, Measuring, MeasuringProcess, Snapshot, StudySnapshot
from dpdash.scaling.measure import require_engines
from dpdash.store.plans import ExchangeTable, Head, StudyTable
from dpdash.training.catalog import require
from dpdash.training.hardware import num_gpus

LONGEST_SECONDS: Final = 120.0
"""Of a study that a page starts, so that nobody has the machine for long."""

S = TypeVar("S", bound=AnyStudy)
P = TypeVar("P", bound=BaseModel)


class Tables(Protocol):
    """Where studies are kept."""

    @property
    def studies(self) -> StudyTable:
        """Of how training scales."""

    @property
    def exchanges(self) -> ExchangeTable:
        """Of what an exchange costs."""


def new_study(plan: StudyPlan, owner: str) -> Study:
    """A study of this machine of which nothing is measured yet."""
    return Study(new_run_id(), owner, time.time(), plan, num_cores(), num_gpus())


def new_exchange(plan: ExchangePlan, owner: str) -> ExchangeStudy:
    """The same for what an exchange costs here."""
    return ExchangeStudy(new_run_id(), owner, time.time(), plan, num_cores(), num_gpus())


class ScalingService:
    """Starts and cancels studies; safe for threads."""

    def __init__(
        self,
        limits: Limits,
        tables: Tables,
        is_frozen: Callable[[], bool],
        begin: Callable[[], Measuring] = MeasuringProcess,
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_over` is called, from another thread, whenever a study has come to its end."""
        self._limits = limits
        self._studies = Collection(tables.studies)
        self._exchanges = Collection(tables.exchanges)
        self._is_frozen = is_frozen
        self._begin = begin
        self._on_over = on_over
        self._lock = threading.Lock()

    @property
    def problem(self) -> StoreError | None:
        """Why the latest study could not be saved; None where it was."""
        return self._studies.keeper.problem or self._exchanges.keeper.problem

    def start(self, plan: StudyPlan, owner: str) -> str:
        """Begin to measure, and return the study's id.

        Raises:
            ConfigError: when the plan is beyond what this server allows.
            EngineUnavailableError: when this machine cannot measure all of it.
            FrozenError: when the teacher lets nothing new start.
            TooManyRunsError: when a study is being measured.
        """
        self.require(plan)
        return self._start(self._studies, new_study(plan, owner))

    def start_exchange(self, plan: ExchangePlan, owner: str) -> str:
        """Begin to measure what an exchange costs, and return the study's id.

        Raises:
            DpdashError: see `start`.
        """
        config = plan.config(DdpStep(plan.replicas))
        self._require_allowed(config, plan.samples, plan.most_values)
        require(config)
        return self._start(self._exchanges, new_exchange(plan, owner))

    def require(self, plan: StudyPlan) -> None:
        """Refuse a plan that cannot be measured here.

        Raises:
            ConfigError: when the plan is beyond what this server allows.
            EngineUnavailableError: when this machine cannot measure all of it.
        """
        # The most samples are in the last point.
        self._require_allowed(plan.config(plan.points[-1]), plan.samples, plan.most_values)
        require_engines(plan)

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

    def measuring(self) -> Snapshot[Any] | None:
        """The study that is being measured, of whichever kind, if there is one."""
        live = self._measuring()
        return None if live is None else live.snapshot()

    def snapshot(self, study_id: str) -> StudySnapshot | None:
        """A study of how training scales at this moment, or as it was kept; None when there is none."""
        return self._studies.snapshot(study_id)

    def studies(self) -> tuple[Head[StudyPlan], ...]:
        """The latest of them, the newest first; only the one in memory when the database cannot be read."""
        return self._studies.heads()

    def exchange(self, study_id: str) -> ExchangeSnapshot | None:
        """See `snapshot`, for what an exchange costs."""
        return self._exchanges.snapshot(study_id)

    def exchanges(self) -> tuple[Head[ExchangePlan], ...]:
        """See `studies`, for what an exchange costs."""
        return self._exchanges.heads()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being measured; whether that is so."""
        lives: tuple[LiveStudy[Any] | None, ...] = self._studies.live, self._exchanges.live
        return all(live is None or live.wait(timeout) for live in lives)

    def close(self, timeout: float) -> None:
        """Cancel what is being measured and wait for its end."""
        live = self._measuring()
        if live is not None:
            live.cancel()
            live.wait(timeout)

    def _require_allowed(self, largest: RunConfig, samples: int, most_values: int) -> None:
        # How long a run is measured, the plan bounds and not its epochs.
        memory = too_large("samples", samples, most_values)
        found = self._limits.problems(largest.model_copy(update={"epochs": 1}))
        problems = (*found, *(() if memory is None else (memory,)))
        if problems:
            raise ConfigError(problems)

    def _start(self, collection: Collection[S, P], study: S) -> str:
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
            collection.live = LiveStudy(study, LONGEST_SECONDS, collection.keeper.keep, self._begin, self._on_over)
            collection.live.start()
        return study.study_id

    def _measuring(self) -> LiveStudy[Any] | None:
        return self._studies.measuring or self._exchanges.measuring
