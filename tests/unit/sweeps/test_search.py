"""The search: what it asks for, what it takes up again, and that a restart repeats nothing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpdash.core.sweep import SearchMethod, Sweep, SweepPlan, Trial, TrialStatus
from dpdash.core.sweep_axis import Axis
from dpdash.sweeps.search import NUM_REPORTS, TRIALS_BEFORE_PRUNING, Asked, Search
from tests.unit.sweeps.conftest import sweep_plan_of

RANGES = (Axis("learning_rate", low=0.001, high=1.0), Axis("samples", low=10, high=5000))


def sweep_with(plan: SweepPlan, *trials: Trial) -> Sweep:
    return Sweep("sweep", "ann", 5.0, plan, trials=trials)


def free_plan(method: SearchMethod, num_trials: int = 12) -> SweepPlan:
    return sweep_plan_of(method=method, axes=RANGES, trials=num_trials)


def value_of(asked: Asked) -> float:
    return abs(float(asked.values[0]) - 0.1)


def asked_for(plan: SweepPlan, restart_at: int = -1) -> list[Asked]:
    """Everything that a search asks for, each trial ended before the next; perhaps with a restart between two."""
    known: list[Trial] = []
    found: list[Asked] = []
    search = Search(sweep_with(plan))
    for number in range(plan.num_trials):
        if number == restart_at:
            search = Search(sweep_with(plan, *known))
        asked = search.ask()
        search.finish(asked.number, TrialStatus.COMPLETE, value_of(asked))
        known.append(Trial(asked.number, asked.values, "", TrialStatus.COMPLETE, value_of(asked)))
        found.append(asked)
    return found


def test_a_grid_asks_for_every_combination_once() -> None:
    plan = sweep_plan_of()
    found = asked_for(plan, restart_at=2)
    assert [asked.number for asked in found] == [0, 1, 2, 3]
    assert {asked.values for asked in found} == {(rate, name) for rate in (0.01, 0.1) for name in ("adam", "sgd")}


@pytest.mark.parametrize("method", [SearchMethod.RANDOM, SearchMethod.TPE])
def test_a_restart_changes_nothing_in_what_is_asked_for(method: SearchMethod) -> None:
    plan = free_plan(method, 16)
    whole = asked_for(plan)
    assert asked_for(plan, restart_at=13) == whole
    assert len({asked.values for asked in whole}) == len(whole)


@pytest.mark.parametrize("method", list(SearchMethod))
def test_a_search_is_made_from_what_is_kept_of_its_trials(method: SearchMethod) -> None:
    plan = sweep_plan_of() if method is SearchMethod.GRID else free_plan(method)
    first = Search(sweep_with(plan))
    asked = [first.ask(), first.ask(), first.ask()]
    trials = (
        Trial(0, asked[0].values, "a", TrialStatus.COMPLETE, 1.0),
        Trial(1, asked[1].values, "b", TrialStatus.FAILED),
        Trial(2, asked[2].values, "c"),
    )
    again = Search(sweep_with(plan, *trials))
    assert again.num_asked == 3
    assert again.unfinished == (asked[2],)
    again.finish(2, TrialStatus.NOT_REACHED, None)
    assert again.ask().number == 3


def test_a_trial_behind_the_median_is_told() -> None:
    search, trials = Search(sweep_with(free_plan(SearchMethod.RANDOM))), list[Trial]()
    for _good in range(TRIALS_BEFORE_PRUNING):
        asked = search.ask()
        for _report in range(NUM_REPORTS):
            search.report(asked.number, 1.0)
            assert not search.is_behind(asked.number)
        known = Trial(asked.number, asked.values, "run", TrialStatus.COMPLETE, 1.0)
        trials.append(replace(known, reports=search.reports(asked.number)))
        search.finish(asked.number, TrialStatus.COMPLETE, 1.0)
    bad, good = search.ask(), search.ask()
    for _report in range(5):
        search.report(bad.number, 2.0)
        search.report(good.number, 0.5)
    assert search.is_behind(bad.number)
    assert not search.is_behind(good.number)
    again = Search(sweep_with(free_plan(SearchMethod.RANDOM), *trials, Trial(bad.number, bad.values, "run")))
    for _report in range(5):
        again.report(bad.number, 2.0)
    assert again.is_behind(bad.number), "what the others reported before the restart is still known"


@pytest.mark.parametrize("status", [TrialStatus.DIVERGED, TrialStatus.NOT_REACHED])
def test_where_trials_come_to_nothing_the_search_asks_less(status: TrialStatus) -> None:
    search = Search(sweep_with(free_plan(SearchMethod.TPE, 40)))
    asked = []
    for _trial in range(40):
        asked.append(search.ask())
        came_to_something = float(asked[-1].values[0]) < 0.5
        search.finish(
            asked[-1].number,
            *((TrialStatus.COMPLETE, value_of(asked[-1])) if came_to_something else (status, None)),
        )
    assert sum(float(each.values[0]) >= 0.5 for each in asked[20:]) <= 3


def test_nothing_is_behind_without_a_report() -> None:
    search = Search(sweep_with(free_plan(SearchMethod.RANDOM)))
    asked = search.ask()
    assert not search.is_behind(asked.number)
    search.finish(asked.number, TrialStatus.PRUNED, None)
    search.finish(asked.number, TrialStatus.PRUNED, None)
    assert not search.is_behind(asked.number)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([SearchMethod.RANDOM, SearchMethod.TPE]))
def test_whatever_is_asked_for_can_be_trained(seed: int, method: SearchMethod) -> None:
    plan = sweep_plan_of(method=method, axes=RANGES, trials=3, seed=seed)
    for asked in asked_for(plan):
        config = plan.config(asked.values)
        assert 0.001 <= config.learning_rate <= 1
        assert 10 <= config.samples <= 5000
