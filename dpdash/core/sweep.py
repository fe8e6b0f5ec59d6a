"""A sweep: which settings are searched and for what, and the trials so far. Plain values."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import product
from typing import Final, Self

from pydantic import Field, model_validator

from dpdash.core.config import RunConfig, bounds
from dpdash.core.errors import N_, ConfigError, SettingError
from dpdash.core.sweep_axis import MOST_VALUES, SEARCHABLE, Axis, Value, not_searchable, too_many_values
from dpdash.core.validation import Settings

MOST_SETTINGS: Final = 4
MOST_TRIALS: Final = 500
MOST_SEED: Final = 2**32 - 1
REACHED_AT: Final = 1.05
"""Times the noise floor: a loss so low counts as having reached it."""


class SearchMethod(StrEnum):
    """How the next trial's settings are chosen."""

    GRID = "grid"
    """Every combination once."""
    RANDOM = "random"
    TPE = "tpe"
    """Where the trials so far were good (tree-structured Parzen estimator)."""


class Objective(StrEnum):
    """What a sweep makes as small as it can."""

    FINAL_LOSS = "final_loss"
    """Loss after the last update, above that of the optimum, in units of y squared."""
    EPOCHS_TO_REACH = "epochs_to_reach"
    """Epochs until the loss is at most 1.05 times the noise floor."""
    SECONDS_TO_REACH = "seconds_to_reach"
    """Seconds of training until then."""

    @property
    def is_reaching(self) -> bool:
        """Whether it asks for how long it takes to come near the noise floor."""
        return self is not Objective.FINAL_LOSS


class TrialStatus(StrEnum):
    """What became of a trial."""

    RUNNING = "running"
    COMPLETE = "complete"
    NOT_REACHED = "not_reached"
    """It was trained to its end and never came near the noise floor."""
    DIVERGED = "diverged"
    PRUNED = "pruned"
    """Stopped by its sweep, because at the same point the median of the others was better."""
    STOPPED = "stopped"
    """By a person, or changed by one while it trained: it says nothing about its settings."""
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self is not TrialStatus.RUNNING

    @property
    def is_hopeless(self) -> bool:
        """Whether its settings were seen to be worse than any that has a value."""
        return self in (TrialStatus.NOT_REACHED, TrialStatus.DIVERGED, TrialStatus.PRUNED)


class SweepStatus(StrEnum):
    """Where a sweep is in its life."""

    SEARCHING = "searching"
    FINISHED = "finished"
    STOPPED = "stopped"
    STOPPED_BY_TEACHER = "stopped_by_teacher"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self is not SweepStatus.SEARCHING


class SweepPlan(Settings):
    """What a sweep searches, and for what."""

    base: RunConfig = Field(examples=["samples=1000"])
    """The settings that all trials share."""
    axes: tuple[Axis, ...] = Field(examples=["learning_rate=0.01,0.1"])
    method: SearchMethod = Field(examples=[SearchMethod.TPE])
    objective: Objective = Field(examples=[Objective.FINAL_LOSS])
    trials: int = Field(examples=[30])
    """How many; a grid has as many as it has combinations, whatever stands here."""
    seed: int = Field(ge=0, le=MOST_SEED, examples=[0])
    """Of the search; that of the data is a setting like the others."""
    prunes: bool = Field(examples=[True])
    """Whether trials that fall behind are stopped early."""
    preset: str = ""
    """Name of the preset that it comes from; empty for one of a person's own."""

    @model_validator(mode="after")
    def _can_be_searched(self) -> Self:
        problems = tuple(_problems(self))
        if problems:
            raise ConfigError(problems)
        # The other bounds are those of the runs.
        for _corner in self.corners():
            pass
        return self

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of what is searched over."""
        return tuple(axis.setting for axis in self.axes)

    @cached_property
    def num_trials(self) -> int:
        """How many trials there will be."""
        if self.method is not SearchMethod.GRID:
            return self.trials
        return math.prod(len(axis.values) for axis in self.axes)

    def config(self, values: tuple[Value, ...]) -> RunConfig:
        """The run of a trial with these values, one for each axis.

        Raises:
            ConfigError: when there is no such run.
        """
        return RunConfig.parse(dict(self.base) | dict(zip(self.settings, values, strict=True)))

    def corners(self) -> Iterator[RunConfig]:
        """The runs at the ends of every axis: when all of them are allowed, all between them are.

        Raises:
            ConfigError: when one is not.
        """
        for values in product(*(axis.extremes for axis in self.axes)):
            yield self.config(values)


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a sweep."""

    number: int
    """Counted from 0, as the search does."""
    values: tuple[Value, ...]
    """One for each axis of the plan."""
    run_id: str
    """Empty where no run could be started."""
    status: TrialStatus = TrialStatus.RUNNING
    value: float | None = None
    """Of the objective; None where there is none."""
    slope: float | None = None
    """Of the line after the last update."""
    standard_error: float | None = None
    """That theory gives the slope of the best line for this trial's data: σ/√Σ(x−x̄)²."""
    num_epochs: int = 0
    reports: tuple[float, ...] = ()
    """Its loss above the optimum on its way, for the others to be compared with; none where no trial is pruned."""


@dataclass(frozen=True)
class Sweep:
    """A sweep as far as it has come."""

    sweep_id: str
    owner: str
    created_at: float
    """Unix time in seconds."""
    plan: SweepPlan
    status: SweepStatus = SweepStatus.SEARCHING
    trials: tuple[Trial, ...] = ()
    """In the order of their numbers."""
    message: str = ""
    """What went wrong, as a template; empty where nothing did."""

    @property
    def num_over(self) -> int:
        """Trials that are done, whatever became of them."""
        return sum(trial.status.is_over for trial in self.trials)

    def count(self, status: TrialStatus) -> int:
        """Trials with this status."""
        return sum(trial.status is status for trial in self.trials)

    @property
    def best(self) -> Trial | None:
        """The trial with the smallest value."""
        return min(
            (trial for trial in self.trials if trial.value is not None),
            key=lambda trial: (trial.value, trial.number),
            default=None,
        )

    def of_run(self, run_id: str) -> Trial | None:
        """The trial that a run is."""
        return next((trial for trial in self.trials if run_id and trial.run_id == run_id), None)


def _problems(plan: SweepPlan) -> Iterator[SettingError]:
    if not 1 <= len(plan.axes) <= MOST_SETTINGS:
        yield SettingError(
            "settings",
            N_("A sweep searches over 1 to {limit} settings. Received: {received}. Try the learning rate."),
            limit=MOST_SETTINGS,
            received=len(plan.axes),
        )
    for setting in plan.settings:
        if setting not in SEARCHABLE:
            yield not_searchable(setting)
        elif plan.settings.count(setting) > 1:
            yield SettingError(setting, N_("{setting} can be searched once. Received: it is there several times."))
        elif plan.base.data is not None and setting in ("samples", "noise"):
            yield SettingError(
                setting,
                N_(
                    "{setting} cannot be searched with own data, which are as they are. Received: it is. "
                    "Leave it out."
                ),
            )
    for axis in plan.axes:
        yield from _axis_problems(axis, plan.method)
    if not 1 <= plan.num_trials <= MOST_TRIALS:
        yield SettingError(
            "trials",
            N_("A sweep has from 1 to {limit} trials. Received: {received}. Try fewer values, or TPE."),
            limit=MOST_TRIALS,
            received=plan.num_trials,
        )
    if plan.objective.is_reaching and any(float(noise) == 0 for noise in _noises(plan)):
        yield SettingError(
            "noise",
            N_(
                "{setting} must be above 0 where a sweep asks for the noise floor, which is then 0 and out of "
                "reach. Received: 0. Try 0.5, or the final loss as the objective."
            ),
        )


def _axis_problems(axis: Axis, method: SearchMethod) -> Iterator[SettingError]:
    if axis.is_range and axis.low >= axis.high:
        yield _no_values(axis.setting)
    elif axis.is_range and method is SearchMethod.GRID:
        yield SettingError(
            axis.setting,
            N_("A grid needs the values of {setting} one by one. Received: a range. Try a random search, or TPE."),
        )
    if len(axis.values) > MOST_VALUES:
        yield too_many_values(axis.setting, len(axis.values))


def _noises(plan: SweepPlan) -> tuple[Value, ...]:
    searched = [axis.extremes for axis in plan.axes if axis.setting == "noise"]
    if searched or plan.base.data is None:
        return searched[0] if searched else (plan.base.noise,)
    return ()


def _no_values(setting: str) -> SettingError:
    if setting == "optimizer":
        return SettingError(setting, N_("{setting} needs one or more to search over. Received: none."))
    low, high = bounds(setting)
    return SettingError(
        setting, N_("{setting} needs values to search over, or a range: {low}..{high}."), low=low, high=high
    )
