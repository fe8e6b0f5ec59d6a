"""What is worked out from trials whose values a test has decided."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.config import RunConfig
from dpdash.core.sweep import Objective, SearchMethod, Trial, TrialStatus
from dpdash.core.sweep_axis import Axis
from dpdash.findings.sweep import (
    NUM_BINS,
    as_good_as_the_best,
    best_so_far,
    importances,
    linear_rule,
    pooled_ratio,
    slope_spreads,
    sweep_map,
    ticks,
    tried_beside,
)
from tests.unit.sweeps.conftest import sweep_of, sweep_plan_of

RATES = Axis("learning_rate", (0.1, 0.001, 0.01))
SEEDS = Axis("seed", tuple(range(6)))


def test_the_setting_that_decides_is_the_one_that_matters() -> None:
    sweep = sweep_of(lambda values: 1000.0 * float(values[0]) + int(values[1]) / 1000, axes=(RATES, SEEDS))
    first, second = importances(sweep)
    assert (first.setting, second.setting) == ("learning_rate", "seed")
    assert first.main > 0.8 > 0.05 > second.main
    assert (first.total, second.total) == pytest.approx((1.0, 1 - first.main), abs=0.05)


def test_settings_that_matter_only_together_have_no_main_effect_and_the_whole_total() -> None:
    """A rate that is good with one batch is bad with another: neither says anything by itself."""
    axes = (Axis("learning_rate", (0.01, 0.1)), Axis("hidden_depth", (0, 1)), SEEDS)
    sweep = sweep_of(lambda values: 1.0 if (values[0] == 0.1) == (values[1] == 1) else 2.0, axes=axes)
    shares = {share.setting: share for share in importances(sweep)}
    for together in ("learning_rate", "hidden_depth"):
        assert shares[together].main == pytest.approx(0, abs=0.01)
        assert shares[together].total == pytest.approx(1)
    assert shares["seed"].total == pytest.approx(0, abs=0.01)


def test_a_setting_that_is_alone_explains_all() -> None:
    (share,) = importances(sweep_of(lambda values: float(values[0]), axes=(Axis("seed", tuple(range(1, 9))),)))
    assert (share.main, share.total) == (1, 1)


def numbers_of(trials: tuple[Trial, ...]) -> list[int]:
    return [trial.number for trial in trials]


@pytest.mark.parametrize(
    ("noise", "samples", "values", "equal"),
    [
        # Optimizers that all found the line: what is left is float32's rounding.
        (0.5, 10_000_000, (2e-8, 7e-14, 1e-3), [1, 0]),
        # One draw of the data with noise 0.5: another one would move the best line's loss by 5e-4.
        (0.5, 1000, (1e-4, 5e-5, 1e-3), [1, 0]),
        (0.5, 1000, (7e-4, 5e-5, 1e-3), [1]),
        (0.0, 1000, (1e-12, 1e-14, 1e-9), [1, 0]),
    ],
)
def test_trials_that_chance_or_rounding_sets_apart_are_as_good_as_each_other(
    noise: float, samples: int, values: tuple[float, ...], equal: list[int]
) -> None:
    given_values = iter(values)
    sweep = sweep_of(lambda _values: next(given_values), axes=(RATES,))
    base = RunConfig(noise=noise, samples=samples)
    sweep = replace(sweep, plan=sweep.plan.model_copy(update={"base": base}))
    assert numbers_of(as_good_as_the_best(sweep)) == equal


@pytest.mark.parametrize(
    ("objective", "values", "equal"),
    [
        (Objective.EPOCHS_TO_REACH, (10.0, 11.0, 12.0), [0, 1]),
        (Objective.EPOCHS_TO_REACH, (1000.0, 1019.0, 1050.0), [0, 1]),
        (Objective.SECONDS_TO_REACH, (1.0, 1.05, 1.3), [0, 1]),
    ],
)
def test_one_epoch_or_a_tenth_of_the_seconds_is_no_rank(
    objective: Objective, values: tuple[float, ...], equal: list[int]
) -> None:
    given_values = iter(values)
    sweep = sweep_of(lambda _values: next(given_values), axes=(RATES,))
    sweep = replace(sweep, plan=sweep.plan.model_copy(update={"objective": objective}))
    assert numbers_of(as_good_as_the_best(sweep)) == equal


def test_trials_as_good_as_the_best_share_its_rank() -> None:
    """Without this, which of 12 equal trials is first by 1e-12 would decide what matters."""

    def value(values: tuple[object, ...]) -> float:
        return 1e-12 * int(str(values[1])) if values[0] != 0.1 else 5.0

    sweep = sweep_of(value, axes=(RATES, SEEDS))
    assert len(as_good_as_the_best(sweep)) == 12
    assert {share.setting: share.main for share in importances(sweep)}["learning_rate"] == pytest.approx(1)


def test_a_trial_learns_what_came_of_the_values_beside_its_own() -> None:
    axes = (Axis("learning_rate", (0.01, 0.03, 0.1)), Axis("optimizer", ("adam", "sgd")))
    outcome: dict[object, float | TrialStatus] = {
        (0.01, "adam"): 2.0, (0.03, "adam"): 1.0, (0.1, "adam"): 3.0,
        (0.01, "sgd"): 9.0, (0.03, "sgd"): 8.0, (0.1, "sgd"): TrialStatus.DIVERGED,
    }  # fmt: skip
    sweep = sweep_of(lambda values: outcome[values], axes=axes)
    sweep = replace(sweep, trials=tuple(replace(trial, run_id=f"run-{trial.number}") for trial in sweep.trials))
    run_of = {trial.values: trial.run_id for trial in sweep.trials}

    def worse(values: tuple[float, str]) -> dict[float, bool]:
        tried = tried_beside(sweep, run_of[values])
        assert {one.setting for one in tried} == {"learning_rate"}
        return {one.value: one.is_worse for one in tried}

    assert worse((0.03, "adam")) == {0.01: True, 0.1: True}
    assert worse((0.1, "adam")) == {0.01: False, 0.03: False}
    assert worse((0.1, "sgd")) == {0.01: False, 0.03: False}
    assert worse((0.03, "sgd")) == {0.01: True, 0.1: True}
    assert tried_beside(sweep, "another") == ()


def test_chance_explains_nothing() -> None:
    rng = np.random.default_rng(0)
    found = [importances(sweep_of(lambda _values: float(rng.random()), axes=(RATES, SEEDS))) for _try in range(60)]
    assert np.mean([share.main for shares in found for share in shares]) < 0.15


def test_trials_that_came_to_nothing_count_as_the_worst() -> None:
    def value(values: tuple[object, ...]) -> float | TrialStatus:
        return TrialStatus.DIVERGED if values[0] == 0.1 else 1.0

    first = importances(sweep_of(value, axes=(RATES, SEEDS)))[0]
    assert first.setting == "learning_rate"
    assert first.main == pytest.approx(1.0)


def test_nothing_is_said_of_too_few_or_equal_trials() -> None:
    assert importances(sweep_of(lambda _values: 1.0)) == ()
    assert importances(sweep_of(lambda _values: 1.0, axes=(RATES, SEEDS))) == ()
    assert importances(sweep_of(lambda _values: TrialStatus.STOPPED, axes=(RATES, SEEDS))) == ()


@given(st.lists(st.floats(1e-9, 1e9), min_size=18, max_size=18))
def test_shares_are_shares_and_do_not_depend_on_the_scale(values: list[float]) -> None:
    sweep = sweep_of(lambda _values: 1.0, axes=(RATES, SEEDS))
    trials = tuple(replace(trial, value=value) for trial, value in zip(sweep.trials, values, strict=True))
    shares = importances(replace(sweep, trials=trials))
    assert all(0 <= share.main <= share.total <= 1 for share in shares)
    logs = tuple(replace(trial, value=math.log(trial.value or 1)) for trial in trials)
    logged = replace(sweep, trials=logs)
    num_best = [len(as_good_as_the_best(one)) for one in (replace(sweep, trials=trials), logged)]
    if len(set(values)) == len({trial.value for trial in logs}) and num_best[0] == num_best[1]:
        assert importances(logged) == shares


def test_a_range_falls_into_groups_of_equal_size() -> None:
    plan = sweep_plan_of(method=SearchMethod.TPE, axes=(Axis("learning_rate", low=0.001, high=1.0),), trials=40)
    rates = np.geomspace(0.001, 1, 40)
    trials = tuple(
        Trial(number, (float(rate),), "", TrialStatus.COMPLETE, float(rate)) for number, rate in enumerate(rates)
    )
    sweep = replace(sweep_of(lambda _values: 1.0), plan=plan, trials=trials)
    assert importances(sweep)[0].main > 0.9
    found = sweep_map(sweep, "learning_rate", None)
    assert found.y is None
    assert sorted(cell.column for cell in found.cells) == list(range(NUM_BINS))
    assert sum(cell.num_trials for cell in found.cells) == 40


def test_a_cell_shows_its_best_trial() -> None:
    sweep = sweep_of(
        lambda values: float(int(values[1]) + 1) if values[1] != 3 else TrialStatus.PRUNED, axes=(RATES, SEEDS)
    )
    found = sweep_map(sweep, "learning_rate", None)
    assert found.x.centers == (0.001, 0.01, 0.1)
    assert [(cell.num_trials, cell.trial.value) for cell in found.cells] == [(6, 1.0)] * 3
    whole = sweep_map(sweep, "seed", "learning_rate")
    assert len(whole.cells) == 18
    pruned = [cell for cell in whole.cells if cell.column == 3]
    assert {cell.trial.status for cell in pruned} == {TrialStatus.PRUNED}


def test_values_lie_between_cells_where_they_are_between_values() -> None:
    rates = ticks(RATES)
    assert [rates.position(rate) for rate in (0.001, 0.01, 0.1)] == pytest.approx([0, 1, 2])
    assert rates.position(math.sqrt(0.001 * 0.01)) == pytest.approx(0.5)
    assert rates.position(1.0) == pytest.approx(3.0)
    assert rates.position(0.0001) == pytest.approx(-1.0)
    assert ticks(Axis("seed", (4,))).position(4.0) == 0.0


def test_the_best_so_far_never_rises() -> None:
    values = iter((3.0, TrialStatus.DIVERGED, 1.0, 2.0))
    assert best_so_far(sweep_of(lambda _values: next(values))) == ((1, 3.0), (2, 3.0), (3, 1.0), (4, 1.0))
    assert best_so_far(sweep_of(lambda _values: TrialStatus.DIVERGED)) == ()


def test_the_linear_rule_goes_through_the_best_rate_of_the_smallest_batch() -> None:
    axes = (Axis("global_batch_size", (40, 10)), Axis("learning_rate", (0.1, 0.01, 0.2)))
    sweep = sweep_of(lambda values: abs(float(values[1]) - 0.01 * float(values[0]) / 10), axes=axes)
    rule = linear_rule(sweep)
    assert rule is not None
    assert (rule.batch_size, rule.learning_rate) == (10, 0.01)
    assert rule.rate(40) == pytest.approx(0.04)
    assert linear_rule(sweep_of(lambda _values: 1.0)) is None
    assert linear_rule(sweep_of(lambda _values: TrialStatus.DIVERGED, axes=axes)) is None


def test_slopes_scatter_as_the_formula_says_where_they_do() -> None:
    rng = np.random.default_rng(1)
    axes = (Axis("noise", (0.5, 2.0)), Axis("seed", tuple(range(30))))
    sweep = sweep_of(lambda _values: 1.0, axes=axes)
    trials = tuple(
        replace(trial, standard_error=0.1 * float(trial.values[0]), slope=3 + 0.1 * float(trial.values[0]) * draw)
        for trial, draw in zip(sweep.trials, rng.standard_normal(60), strict=True)
    )
    spreads = slope_spreads(replace(sweep, trials=trials))
    assert [spread.values for spread in spreads] == [(("noise", 0.5),), (("noise", 2.0),)]
    assert [spread.predicted for spread in spreads] == pytest.approx([0.05, 0.2])
    assert [spread.relative_error for spread in spreads] == [1 / math.sqrt(2 * 29)] * 2
    pooled = pooled_ratio(spreads)
    assert pooled is not None
    assert pooled[1] == pytest.approx(1 / math.sqrt(2 * 29)), "more noise scales the same draws"
    assert abs(pooled[0] - 1) < 3 * pooled[1]
    assert pooled_ratio(()) is None


def test_a_cell_has_the_spread_of_trials_that_differ_in_their_seed_alone() -> None:
    axes = (Axis("noise", (0.5, 2.0)), Axis("samples", (50, 100)), Axis("seed", (0, 1, 2)))
    sweep = sweep_of(lambda _values: 1.0, axes=axes)
    trials = tuple(replace(trial, slope=3 + float(trial.values[2]) / 10) for trial in sweep.trials)
    sweep = replace(sweep, trials=trials)
    found = sweep_map(sweep, "samples", "noise")
    assert [cell.spread is not None and cell.spread.measured for cell in found.cells] == pytest.approx([0.1] * 4)
    assert all(cell.spread is None for cell in sweep_map(sweep, "samples", "seed").cells)
    assert all(cell.spread is None for cell in sweep_map(sweep, "samples", None).cells)


def test_a_seed_that_a_search_has_drawn_twice_is_one_draw() -> None:
    sweep = sweep_of(lambda _values: 1.0, axes=(Axis("seed", (0, 1, 2)),))
    trials = tuple(replace(trial, slope=3 + float(trial.values[0]) / 10) for trial in sweep.trials)
    twice = replace(sweep, trials=tuple(replace(trial, number=number) for number, trial in enumerate(2 * trials)))
    assert slope_spreads(twice) == slope_spreads(replace(sweep, trials=trials))
    few = replace(sweep, trials=3 * trials[:2])
    assert slope_spreads(few) == (), "six trials of two seeds"


def test_there_is_no_spread_without_seeds_or_of_networks() -> None:
    assert slope_spreads(sweep_of(lambda _values: 1.0)) == ()
    assert (
        slope_spreads(sweep_of(lambda _values: 1.0, axes=(SEEDS,), base=RunConfig(samples=50, hidden_depth=1)))
        == ()
    )
    assert slope_spreads(sweep_of(lambda _values: 1.0, axes=(Axis("seed", (0, 1)),))) == ()
