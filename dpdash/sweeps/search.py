"""The search of a sweep: Optuna chooses each trial's settings and says which trials have fallen behind.

Optuna keeps its study in memory; it is made from what we keep of a sweep, so nothing is written twice (ADR 0017).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dpdash.core.sweep import MOST_SEED, SearchMethod, Sweep, SweepPlan, Trial, TrialStatus
from dpdash.core.sweep_axis import Axis, Value

if TYPE_CHECKING:
    import optuna

NUM_REPORTS: Final = 10
"""How often a trial's loss is compared with those of the others: at every tenth of its epochs."""
TRIALS_BEFORE_PRUNING: Final = 5
"""So many must have gone to their end before any is stopped early."""
REPORTS_BEFORE_PRUNING: Final = 3
"""A loss says little while the line is on its way."""
SEEDS_APART: Final = 7919
"""Between the seeds of two trials: a prime, so that two sweeps' trials seldom share one."""
NEVER: Final = float("inf")
"""What the search is told of a trial that never reached what was asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial that is to be trained."""

    number: int
    values: tuple[Value, ...]


class Search:
    """The search of one sweep, for one thread at a time.

    The same plan asks for the same values whether the process that asks is restarted or not; those of TPE also
    depend on the order in which trials end.
    """

    def __init__(self, sweep: Sweep) -> None:
        """Go on where a sweep stands."""
        self._plan = sweep.plan
        self._study = _opened(sweep)
        self._open: dict[int, optuna.Trial] = {}
        self._reports: dict[int, list[float]] = {}
        self.unfinished = tuple(self._take_up(trial.number) for trial in sweep.trials if not trial.status.is_over)
        """The trials that were asked for and not ended when this search was opened."""

    @property
    def num_asked(self) -> int:
        """Trials so far, whatever became of them."""
        return len(self._study.get_trials(deepcopy=False))

    def ask(self) -> Asked:
        """The next trial."""
        self._study.sampler = _sampler(self._plan, self.num_asked)
        trial = self._study.ask()
        return self._asked(trial)

    def report(self, number: int, loss: float) -> None:
        """Say what a trial's loss above the optimum is at the next of its `NUM_REPORTS` points."""
        reports = self._reports[number]
        reports.append(loss)
        self._open[number].report(loss, len(reports))

    def reports(self, number: int) -> tuple[float, ...]:
        """What was reported so far of a trial that has not ended."""
        return tuple(self._reports[number])

    def is_behind(self, number: int) -> bool:
        """Whether a trial is worse than the median of the others was at the same point."""
        trial = self._open.get(number)
        return trial is not None and trial.should_prune()

    def finish(self, number: int, status: TrialStatus, value: float | None) -> None:
        """Say what became of a trial; saying it again changes nothing."""
        state, told = _told(status, value)
        self._study.tell(number, told, state=state, skip_if_finished=True)
        self._open.pop(number, None)
        self._reports.pop(number, None)

    def _take_up(self, number: int) -> Asked:
        import optuna

        self._study.sampler = _sampler(self._plan, number)
        return self._asked(optuna.Trial(self._study, self._study.get_trials(deepcopy=False)[number]._trial_id))

    def _asked(self, trial: "optuna.Trial") -> Asked:
        self._open[trial.number], self._reports[trial.number] = trial, []
        return Asked(trial.number, tuple(_suggested(trial, axis) for axis in self._plan.axes))


def _opened(sweep: Sweep) -> "optuna.Study":
    """The study of a sweep, with every trial that the sweep has."""
    # Importing Optuna takes longer than all else that a page or a command needs.
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        sampler=_sampler(sweep.plan, 0),
        pruner=optuna.pruners.MedianPruner(TRIALS_BEFORE_PRUNING, REPORTS_BEFORE_PRUNING),
    )
    for trial in sweep.trials:
        study.add_trial(_frozen(trial, sweep.plan))
    return study


def _sampler(plan: SweepPlan, number: int) -> "optuna.samplers.BaseSampler":
    """The sampler of one trial: with a seed of its own, so that a restart repeats no trial."""
    from optuna.samplers import GridSampler, RandomSampler, TPESampler

    class Grid(GridSampler):
        def after_trial(self, *_of_trial: object) -> None:
            """Do not stop the loop that Optuna would have: there is none."""

    seed = (plan.seed + SEEDS_APART * number) % (MOST_SEED + 1)
    match plan.method:
        case SearchMethod.GRID:
            return Grid({axis.setting: list(axis.values) for axis in plan.axes}, seed=plan.seed)
        case SearchMethod.RANDOM:
            return RandomSampler(seed=seed)
        case SearchMethod.TPE:
            return TPESampler(seed=seed)


def _suggested(trial: "optuna.Trial", axis: Axis) -> Value:
    if not axis.is_range:
        value = trial.suggest_categorical(axis.setting, axis.values)
        assert isinstance(value, int | float | str)
        return value
    if axis.is_whole:
        return trial.suggest_int(axis.setting, int(axis.low), int(axis.high), log=axis.is_log)
    return trial.suggest_float(axis.setting, axis.low, axis.high, log=axis.is_log)


def _distribution(axis: Axis) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not axis.is_range:
        return CategoricalDistribution(axis.values)
    if axis.is_whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.is_log)
    return FloatDistribution(axis.low, axis.high, log=axis.is_log)


def _frozen(trial: Trial, plan: SweepPlan) -> "optuna.trial.FrozenTrial":
    """A trial of ours as Optuna keeps one."""
    import optuna

    state, value = _told(trial.status, trial.value)
    return optuna.create_trial(
        state=state or optuna.trial.TrialState.RUNNING,
        value=value,
        params=dict(zip(plan.settings, trial.values, strict=True)),
        distributions={axis.setting: _distribution(axis) for axis in plan.axes},
        intermediate_values=dict(enumerate(trial.reports, start=1)),
    )


def _told(status: TrialStatus, value: float | None) -> tuple["optuna.trial.TrialState | None", float | None]:
    """What Optuna is told of a trial; no state for one that trains."""
    from optuna.trial import TrialState

    match status:
        case TrialStatus.RUNNING:
            return None, None
        case TrialStatus.PRUNED:
            return TrialState.PRUNED, None
        case TrialStatus.STOPPED | TrialStatus.FAILED:
            return TrialState.FAIL, None
        case _:
            return TrialState.COMPLETE, NEVER if value is None else value
