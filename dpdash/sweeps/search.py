"""The search of a sweep: Optuna chooses each trial's settings and says which trials have fallen behind.

Optuna keeps its own journal in a folder beside the database: in one database its tables collide with ours. What is
shown of a sweep is ours, and a journal that is lost is written anew from it (ADR 0017).
"""

import json
import logging
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dpdash.core.sweep import MOST_SEED, SearchMethod, Sweep, SweepPlan, Trial, TrialStatus
from dpdash.core.sweep_axis import Axis, Value

if TYPE_CHECKING:
    import optuna

_log = logging.getLogger(__name__)

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

    def __init__(self, sweep: Sweep, folder: Path | None) -> None:
        """Go on where a sweep stands; without a folder the search is kept in memory only."""
        self._plan = sweep.plan
        self._study = _opened(sweep, folder)
        self._open: dict[int, optuna.Trial] = {}
        self._reported: dict[int, set[int]] = {}
        self._unfinished = self._find_unfinished(sweep)

    @property
    def num_asked(self) -> int:
        """Trials so far, whatever became of them."""
        return len(self._study.get_trials(deepcopy=False))

    @property
    def unfinished(self) -> tuple[Asked, ...]:
        """The trials that were asked for and not ended when this search was opened."""
        return self._unfinished

    def ask(self) -> Asked:
        """The next trial."""
        self._study.sampler = _sampler(self._plan, self.num_asked)
        trial = self._study.ask()
        return self._asked(trial)

    def report(self, number: int, report: int, loss: float) -> None:
        """Say what a trial's loss above the optimum is at one of its `NUM_REPORTS` points, counted from 1."""
        trial, reported = self._open.get(number), self._reported.setdefault(number, set())
        if trial is not None and report not in reported:
            reported.add(report)
            trial.report(loss, report)

    def is_behind(self, number: int) -> bool:
        """Whether a trial is worse than the median of the others was at the same point."""
        trial = self._open.get(number)
        return trial is not None and trial.should_prune()

    def finish(self, number: int, status: TrialStatus, value: float | None) -> None:
        """Say what became of a trial; saying it again changes nothing."""
        state, told = _told(status, value)
        self._study.tell(number, told, state=state, skip_if_finished=True)
        self._open.pop(number, None)
        self._reported.pop(number, None)

    def _find_unfinished(self, sweep: Sweep) -> tuple[Asked, ...]:
        import optuna

        ours = {trial.number: trial for trial in sweep.trials}
        found: dict[int, Asked] = {}
        for frozen in self._study.get_trials(deepcopy=False):
            mine = ours.get(frozen.number)
            if frozen.state is optuna.trial.TrialState.RUNNING:
                self._study.sampler = _sampler(self._plan, frozen.number)
                self._reported[frozen.number] = set(frozen.intermediate_values)
                asked = self._asked(optuna.Trial(self._study, frozen._trial_id))
                found[frozen.number] = asked
            if mine is not None and mine.status.is_over:
                if found.pop(mine.number, None) is not None:
                    self.finish(mine.number, mine.status, mine.value)
            elif mine is not None:
                found[mine.number] = Asked(mine.number, mine.values)
        return tuple(found[number] for number in sorted(found))

    def _asked(self, trial: "optuna.Trial") -> Asked:
        self._open[trial.number] = trial
        return Asked(trial.number, tuple(_suggested(trial, axis) for axis in self._plan.axes))


def _opened(sweep: Sweep, folder: Path | None) -> "optuna.Study":
    """The study of a sweep, with every trial that the sweep has."""
    # Importing Optuna takes longer than all else that a page or a command needs.
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=None if folder is None else _storage(folder, sweep.sweep_id),
        study_name=sweep.sweep_id,
        load_if_exists=True,
        sampler=_sampler(sweep.plan, 0),
        pruner=optuna.pruners.MedianPruner(TRIALS_BEFORE_PRUNING, REPORTS_BEFORE_PRUNING),
    )
    for trial in sweep.trials[len(study.get_trials(deepcopy=False)) :]:
        study.add_trial(_frozen(trial, sweep.plan))
    return study


def _storage(folder: Path, sweep_id: str) -> "optuna.storages.BaseStorage | None":
    """Its journal, or memory where there can be none: what is shown of the sweep is kept elsewhere."""
    try:
        return _journal(folder, sweep_id)
    except OSError as error:
        _log.warning("The search of sweep %s keeps no journal: %s", sweep_id, error)
        return None


def _journal(folder: Path, sweep_id: str) -> "optuna.storages.BaseStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sweep_id}.journal"
    lock = JournalFileOpenLock(str(path))
    # Whoever opens it holds the sweep's own lock: what is left of Optuna's belongs to a process that was killed.
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    _cut_unreadable_end(path)
    try:
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    except (ValueError, KeyError, TypeError, AssertionError):
        # No journal of Optuna's; what is known of the sweep is written into a new one.
        path.unlink()
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _cut_unreadable_end(path: Path) -> None:
    """Leave out what a power cut has torn, and what follows: nothing behind it could be read."""
    if not path.exists():
        return
    written = path.read_bytes()
    num_whole = sum(len(line) for line in takewhile(_is_whole, written.splitlines(keepends=True)))
    if num_whole < len(written):
        path.write_bytes(written[:num_whole])


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return line.endswith(b"\n")


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
    """A trial of ours as Optuna keeps one; what it reported on its way is lost."""
    import optuna

    state, value = _told(trial.status, trial.value)
    return optuna.create_trial(
        state=state or optuna.trial.TrialState.RUNNING,
        value=value,
        params=dict(zip(plan.settings, trial.values, strict=True)),
        distributions={axis.setting: _distribution(axis) for axis in plan.axes},
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
