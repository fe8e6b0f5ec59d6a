"""What a sweep has found: the best of each cell of a map, what matters, how far slopes scatter. Plain values."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dpdash.core.config import TRUE_SLOPE, X_HIGH
from dpdash.core.sweep import Objective, Sweep, SweepPlan, Trial, TrialStatus
from dpdash.core.sweep_axis import Axis, Value
from dpdash.findings.suggestion import Tried

NUM_BINS: Final = 8
"""Cells of a map along a setting that is searched over a range."""
NUM_GROUPS: Final = 4
"""Groups of equal size that a range falls into where its importance is worked out."""
LEAST_TRIALS: Final = 5
"""Fewer say nothing about what matters."""
LEAST_SEEDS: Final = 3
"""Fewer slopes have no spread worth showing."""
NUM_PARAMETERS: Final = 2
"""Of a line: the best line of n samples is above the true one's loss by σ² · 2/n on average."""
ROUNDING: Final = float(np.finfo(np.float32).eps)
MEAN_SQUARE_Y: Final = TRUE_SLOPE**2 * X_HIGH**2 / 3
"""Of the true line: what parameters that are rounded miss of it is this times the rounding's square."""
EPOCHS_APART: Final = 0.02
"""Two trials whose epochs differ by less, or by one, would change places with another draw of the data."""
SECONDS_APART: Final = 0.1
"""Two trials whose seconds differ by less would change places with what else the machine does."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SlopeSpread:
    """How far the slopes of trials that differ in their seed alone scatter, beside what theory says."""

    values: tuple[tuple[str, Value], ...]
    """The settings that they share, by name."""
    num_seeds: int
    measured: float
    """Standard deviation of the slopes."""
    predicted: float
    """Root mean square of the trials' standard errors σ/√Σ(x−x̄)²."""

    @property
    def ratio(self) -> float:
        return self.measured / self.predicted

    @property
    def relative_error(self) -> float:
        """Of the measured standard deviation, where slopes are normally distributed: 1/√(2(n − 1))."""
        return 1 / math.sqrt(2 * (self.num_seeds - 1))


@dataclass(frozen=True, slots=True)
class Importance:
    """How much of the trials' ranking a setting explains, as shares of 1."""

    setting: str
    main: float
    """By itself."""
    total: float
    """Together with its partners: what the other settings alone leave unexplained."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """Where the cells of a map lie along one setting."""

    axis: Axis
    centers: tuple[Value, ...]
    """In order; the values themselves, or the middles of a range's parts."""

    def index(self, value: Value) -> int:
        """The cell that a value falls into."""
        if not self.axis.is_range:
            return self.centers.index(value)
        return int(min(max(self.position(float(value)) + 0.5, 0), len(self.centers) - 1))

    def position(self, number: float) -> float:
        """Where a number lies, in cells; between two of them where it is between their values."""
        known = [_scaled(self.axis, float(center)) for center in self.centers]
        at = _scaled(self.axis, number)
        steps = np.diff(known)
        if not len(steps):
            return 0.0
        inside = float(np.interp(at, known, np.arange(len(known))))
        below, above = (at - known[0]) / steps[0], len(known) - 1 + (at - known[-1]) / steps[-1]
        return below if at < known[0] else above if at > known[-1] else inside


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a map, with its best trial; the latest where none has a value."""

    column: int
    row: int
    trial: Trial
    num_trials: int
    spread: SlopeSpread | None = None
    """Of the slopes of its trials, where these differ in their seed alone."""


@dataclass(frozen=True, slots=True)
class SweepMap:
    """The trials over two settings; over one where the sweep has no more."""

    x: Ticks
    y: Ticks | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class LinearRule:
    """The linear scaling rule: a learning rate that is best at one batch size, and grows as the batch does."""

    batch_size: int
    learning_rate: float
    """The best of those that were tried with the smallest batch."""

    def rate(self, batch_size: float) -> float:
        """The learning rate of another batch size by this rule."""
        return self.learning_rate * batch_size / self.batch_size


def ticks(axis: Axis) -> Ticks:
    """The cells along a setting; numbers are in order, whatever order they were given in."""
    if not axis.is_range:
        return Ticks(axis, tuple(sorted(axis.values, key=float)) if axis.is_number else axis.values)
    low, high = _scaled(axis, axis.low), _scaled(axis, axis.high)
    middles = low + (high - low) * (np.arange(NUM_BINS) + 0.5) / NUM_BINS
    return Ticks(axis, tuple(float(10**middle if axis.is_log else middle) for middle in middles))


def sweep_map(sweep: Sweep, x: str, y: str | None) -> SweepMap:
    """The best trial of each pair of values of two settings."""
    settings = sweep.plan.settings
    across = ticks(sweep.plan.axes[settings.index(x)])
    up = None if y is None else ticks(sweep.plan.axes[settings.index(y)])
    groups: dict[tuple[int, int], list[Trial]] = defaultdict(list)
    for trial in sweep.trials:
        column = across.index(trial.values[settings.index(x)])
        row = 0 if up is None or y is None else up.index(trial.values[settings.index(y)])
        groups[column, row].append(trial)
    spreads = {spread.values: spread for spread in slope_spreads(sweep)}
    cells = (
        Cell(column, row, _shown(found), len(found), spreads.get(_shared(sweep, found[0], (x, y))))
        for (column, row), found in groups.items()
    )
    return SweepMap(across, up, tuple(cells))


def best_so_far(sweep: Sweep) -> tuple[tuple[int, float], ...]:
    """How many trials had been asked for, counted from 1, and the smallest value until then."""
    best, found = math.inf, []
    for trial in sweep.trials:
        if trial.value is not None:
            best = min(best, trial.value)
        if trial.status.is_over and math.isfinite(best):
            found.append((trial.number + 1, best))
    return tuple(found)


def as_good_as_the_best(sweep: Sweep) -> tuple[Trial, ...]:
    """The trials that nothing tells from the best one, which comes first.

    A loss differs from another where the difference is above float32's rounding, and above what another draw of
    the data would change: the best line's own loss scatters about the true line's by that much.
    """
    measured = sorted(
        (trial for trial in sweep.trials if trial.value is not None), key=lambda trial: (trial.value, trial.number)
    )
    return tuple(trial for trial in measured if _are_equal(sweep.plan, measured[0], trial))


def tried_beside(sweep: Sweep, run_id: str) -> tuple[Tried, ...]:
    """What came of the values that a trial's settings had where all else was equal; beside the best, anywhere."""
    own = sweep.of_run(run_id)
    if own is None or not _is_judged(own):
        return ()
    is_best = own in as_good_as_the_best(sweep)
    found: dict[tuple[str, float], bool] = {}
    for place, axis in enumerate(sweep.plan.axes):
        for trial in sweep.trials:
            value = trial.values[place]
            is_beside = is_best or _without(trial, place) == _without(own, place)
            if isinstance(value, str) or value == own.values[place] or not is_beside or not _is_judged(trial):
                continue
            key = axis.setting, float(value)
            found[key] = found.get(key, True) and _is_worse(sweep.plan, trial, own)
    return tuple(Tried(setting, value, is_worse) for (setting, value), is_worse in found.items())


def importances(sweep: Sweep) -> tuple[Importance, ...]:
    """How much of the trials' ranking each setting explains, by itself and with its partners; the most first.

    The variance of the ranks of the values falls into a part between a setting's values and one within them: the
    main effect of functional ANOVA (Hutter, Hoos and Leyton-Brown, ICML 2014), on ranks, so that the scale of the
    values does not matter and trials that came to nothing count as the worst, and as epsilon-squared (Kelley,
    1935), so that what chance explains is taken off. What the other settings leave is the total effect (Homma and
    Saltelli, 1996). Trials as good as the best share its rank. Empty while there are too few trials, or all are
    the same.
    """
    judged = [trial for trial in sweep.trials if _is_judged(trial)]
    if len(judged) < LEAST_TRIALS:
        return ()
    best = as_good_as_the_best(sweep)
    ranks = _ranks([_ranked_value(best[0] if trial in best else trial) for trial in judged])
    total = float(((ranks - ranks.mean()) ** 2).sum())
    if total == 0:
        return ()
    groups = [
        _groups(axis, [trial.values[place] for trial in judged]) for place, axis in enumerate(sweep.plan.axes)
    ]
    shares = (
        _importance(axis.setting, ranks, groups[place], groups[:place] + groups[place + 1 :], total)
        for place, axis in enumerate(sweep.plan.axes)
    )
    return tuple(sorted(shares, key=lambda share: (-share.main, -share.total)))


def linear_rule(sweep: Sweep) -> LinearRule | None:
    """The rule through the best learning rate of the smallest batch; None where both are not searched."""
    settings = sweep.plan.settings
    if not {"learning_rate", "global_batch_size"} <= set(settings):
        return None
    rate_at, size_at = settings.index("learning_rate"), settings.index("global_batch_size")
    if sweep.plan.axes[size_at].is_range:
        return None
    smallest = min(int(size) for size in sweep.plan.axes[size_at].values)
    tried = [trial for trial in sweep.trials if trial.values[size_at] == smallest and trial.value is not None]
    if not tried:
        return None
    best = min(tried, key=lambda trial: (trial.value, trial.number))
    return LinearRule(smallest, float(best.values[rate_at]))


def slope_spreads(sweep: Sweep) -> tuple[SlopeSpread, ...]:
    """The spread of the slopes over the seeds, for each group that shares all else; empty without seeds.

    Of own data there is one draw, whatever the seed.
    """
    plan = sweep.plan
    if plan.base.data is not None:
        return ()
    if "seed" not in plan.settings or plan.base.hidden_depth or "hidden_depth" in plan.settings:
        return ()
    groups: dict[tuple[tuple[str, Value], ...], dict[Value, Trial]] = defaultdict(dict)
    for trial in sweep.trials:
        if trial.status is TrialStatus.COMPLETE and trial.standard_error:
            named = dict(zip(plan.settings, trial.values, strict=True))
            # A search may draw a seed twice: that is the same run again, and no further draw of the data.
            groups[tuple((name, value) for name, value in named.items() if name != "seed")][named["seed"]] = trial
    return tuple(
        _spread(values, tuple(found.values()))
        for values, found in sorted(groups.items(), key=str)
        if len(found) >= LEAST_SEEDS
    )


def pooled_ratio(spreads: Iterable[SlopeSpread]) -> tuple[float, float] | None:
    """Measured over predicted spread of all groups together, with the relative error that so many seeds leave."""
    found = tuple(spreads)
    freedom = sum(spread.num_seeds - 1 for spread in found)
    if not freedom:
        return None
    squares = sum((spread.num_seeds - 1) * spread.ratio**2 for spread in found)
    # More or less noise scales the same draws: groups that differ in it alone say one thing, not two.
    draws = {tuple(pair for pair in spread.values if pair[0] != "noise"): spread.num_seeds - 1 for spread in found}
    return math.sqrt(squares / freedom), 1 / math.sqrt(2 * sum(draws.values()))


def _is_judged(trial: Trial) -> bool:
    return trial.value is not None or trial.status.is_hopeless


def _ranked_value(trial: Trial) -> float:
    return math.inf if trial.value is None else trial.value


def _without(trial: Trial, place: int) -> tuple[Value, ...]:
    return trial.values[:place] + trial.values[place + 1 :]


def _is_worse(plan: SweepPlan, trial: Trial, than: Trial) -> bool:
    is_above = _ranked_value(trial) > _ranked_value(than)
    return is_above and not (trial.value is not None and _are_equal(plan, than, trial))


def _are_equal(plan: SweepPlan, lower: Trial, higher: Trial) -> bool:
    """Whether two trials with values are as good as each other."""
    assert lower.value is not None
    assert higher.value is not None
    return higher.value - lower.value <= max(_resolution(plan, trial) for trial in (lower, higher))


def _resolution(plan: SweepPlan, trial: Trial) -> float:
    """A difference of the objective that says nothing, at a trial's settings."""
    assert trial.value is not None
    match plan.objective:
        case Objective.EPOCHS_TO_REACH:
            return max(1.0, EPOCHS_APART * trial.value)
        case Objective.SECONDS_TO_REACH:
            return SECONDS_APART * trial.value
    settings = dict(plan.base) | dict(zip(plan.settings, trial.values, strict=True))
    noise, samples = float(settings["noise"]), int(settings["samples"])
    return max(NUM_PARAMETERS / samples, ROUNDING) * noise**2 + ROUNDING**2 * MEAN_SQUARE_Y


def _spread(values: tuple[tuple[str, Value], ...], trials: Sequence[Trial]) -> SlopeSpread:
    slopes = np.array([trial.slope for trial in trials], dtype=np.float64)
    errors = np.array([trial.standard_error for trial in trials], dtype=np.float64)
    return SlopeSpread(values, len(trials), float(slopes.std(ddof=1)), float(np.sqrt((errors**2).mean())))


def _shared(sweep: Sweep, trial: Trial, shown: tuple[str | None, ...]) -> tuple[tuple[str, Value], ...]:
    """What the trials of a cell have in common; nothing where they differ in more than their seed."""
    named = tuple(zip(sweep.plan.settings, trial.values, strict=True))
    others = [name for name, _value in named if name not in shown]
    return tuple(pair for pair in named if pair[0] != "seed") if others == ["seed"] else ()


def _shown(trials: Sequence[Trial]) -> Trial:
    with_value = [trial for trial in trials if trial.value is not None]
    return min(with_value, key=lambda trial: (trial.value, trial.number)) if with_value else trials[-1]


def _scaled(axis: Axis, number: float) -> float:
    return math.log10(number) if axis.is_log and number > 0 else number


def _ranks(values: Sequence[float]) -> Floats:
    """Ranks from 1, equal values sharing the mean of theirs; shape (len(values),)."""
    _unique, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: Floats = last - (counts - 1) / 2
    return shared[inverse]


def _groups(axis: Axis, values: Sequence[Value]) -> list[int]:
    """The group that each value falls into: its own, or a quarter of those of a range."""
    if not axis.is_range:
        places: Mapping[Value, int] = {value: place for place, value in enumerate(axis.values)}
        return [places[value] for value in values]
    numbers = np.array([float(value) for value in values])
    edges = np.quantile(numbers, np.arange(1, NUM_GROUPS) / NUM_GROUPS)
    return [int(group) for group in np.searchsorted(edges, numbers, side="right")]


def _explained(ranks: Floats, groups: Sequence[int] | NDArray[np.int64], total: float) -> float:
    places = np.array(groups)
    present = np.unique(places)
    if not 1 < len(present) < len(ranks):
        return 0.0
    between = sum(
        (places == group).sum() * (ranks[places == group].mean() - ranks.mean()) ** 2 for group in present
    )
    within = (total - between) / (len(ranks) - len(present))
    return float(max(0.0, (between - (len(present) - 1) * within) / total))


def _importance(
    setting: str, ranks: Floats, own: Sequence[int], others: Sequence[Sequence[int]], total: float
) -> Importance:
    if not others:
        # Nothing else differs between the trials.
        return Importance(setting, 1.0, 1.0)
    together = np.unique(np.array(others), axis=1, return_inverse=True)[1].ravel()
    main = _explained(ranks, own, total)
    return Importance(setting, main, max(main, 1 - _explained(ranks, together, total)))
