"""The search: what it asks for, what it takes up again, and that a restart repeats nothing."""

from dataclasses import replace
from pathlib import Path

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


def asked_for(plan: SweepPlan, folder: Path | None, restart_at: int = -1) -> list[Asked]:
    """Everything that a search asks for, each trial ended before the next; perhaps with a restart between two."""
    known: list[Trial] = []
    found: list[Asked] = []
    search = Search(sweep_with(plan), folder)
    for number in range(plan.num_trials):
        if number == restart_at:
            search = Search(sweep_with(plan, *known), folder)
        asked = search.ask()
        search.finish(asked.number, TrialStatus.COMPLETE, value_of(asked))
        known.append(Trial(asked.number, asked.values, "", TrialStatus.COMPLETE, value_of(asked)))
        found.append(asked)
    return found


def test_a_grid_asks_for_every_combination_once(tmp_path: Path) -> None:
    plan = sweep_plan_of()
    found = asked_for(plan, tmp_path, restart_at=2)
    assert [asked.number for asked in found] == [0, 1, 2, 3]
    assert {asked.values for asked in found} == {(rate, name) for rate in (0.01, 0.1) for name in ("adam", "sgd")}


@pytest.mark.parametrize("method", [SearchMethod.RANDOM, SearchMethod.TPE])
def test_a_restart_changes_nothing_in_what_is_asked_for(method: SearchMethod, tmp_path: Path) -> None:
    plan = free_plan(method, 16)
    whole = asked_for(plan, tmp_path / "whole")
    assert asked_for(plan, tmp_path / "restarted", restart_at=13) == whole
    assert len({asked.values for asked in whole}) == len(whole)


@pytest.mark.parametrize("method", list(SearchMethod))
def test_a_journal_that_is_lost_is_written_anew(method: SearchMethod, tmp_path: Path) -> None:
    plan = sweep_plan_of() if method is SearchMethod.GRID else free_plan(method)
    first = Search(sweep_with(plan), tmp_path)
    asked = [first.ask(), first.ask(), first.ask()]
    trials = (
        Trial(0, asked[0].values, "a", TrialStatus.COMPLETE, 1.0),
        Trial(1, asked[1].values, "b", TrialStatus.FAILED),
        Trial(2, asked[2].values, "c"),
    )
    (tmp_path / "sweep.journal").unlink()
    again = Search(sweep_with(plan, *trials), tmp_path)
    assert again.num_asked == 3
    assert again.unfinished == (asked[2],)
    again.finish(2, TrialStatus.NOT_REACHED, None)
    assert again.ask().number == 3


@pytest.mark.parametrize("left", ["nonsense\n", "{}\n", "[1]\n", '{"op_code": 0, "worker_id"', "\x00\x00\n{}\n"])
def test_a_journal_that_cannot_be_read_is_replaced(left: str, tmp_path: Path) -> None:
    (tmp_path / "sweep.journal").write_text(left)
    assert len(asked_for(sweep_plan_of(), tmp_path)) == 4


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    search = Search(sweep_with(sweep_plan_of()), tmp_path)
    asked = search.ask()
    with (tmp_path / "sweep.journal").open("ab") as journal:
        journal.write(b'{"op_code": 5, "wor')
    again = Search(sweep_with(sweep_plan_of()), tmp_path)
    assert again.unfinished == (asked,)
    assert again.ask().number == 1


def test_a_lock_that_a_killed_process_left_is_no_hindrance(tmp_path: Path) -> None:
    Search(sweep_with(sweep_plan_of()), tmp_path).ask()
    (tmp_path / "sweep.journal.lock").touch()
    assert Search(sweep_with(sweep_plan_of()), tmp_path).ask().number == 1


def test_a_trial_that_nobody_knows_of_is_taken_up(tmp_path: Path) -> None:
    """The process was killed after it asked, and before it wrote what it was told."""
    asked = Search(sweep_with(sweep_plan_of()), tmp_path).ask()
    assert Search(sweep_with(sweep_plan_of()), tmp_path).unfinished == (asked,)


def test_an_end_that_only_one_of_both_knows_is_told_to_the_other(tmp_path: Path) -> None:
    search = Search(sweep_with(sweep_plan_of()), tmp_path)
    told, ended = search.ask(), search.ask()
    search.finish(told.number, TrialStatus.COMPLETE, 1.0)
    trials = (Trial(0, told.values, "a"), Trial(1, ended.values, "b", TrialStatus.COMPLETE, 2.0))
    again = Search(sweep_with(sweep_plan_of(), *trials), tmp_path)
    assert again.unfinished == (told,), "it is trained again, for what it gave is not known any more"
    again.finish(0, TrialStatus.COMPLETE, 1.0)
    assert (
        Search(
            sweep_with(sweep_plan_of(), replace(trials[0], status=TrialStatus.COMPLETE), trials[1]), tmp_path
        ).unfinished
        == ()
    )


def test_a_trial_behind_the_median_is_told(tmp_path: Path) -> None:
    search = Search(sweep_with(free_plan(SearchMethod.RANDOM)), tmp_path)
    for _good in range(TRIALS_BEFORE_PRUNING):
        asked = search.ask()
        for report in range(1, NUM_REPORTS + 1):
            search.report(asked.number, report, 1.0)
            assert not search.is_behind(asked.number)
        search.finish(asked.number, TrialStatus.COMPLETE, 1.0)
    bad, good = search.ask(), search.ask()
    for report in range(1, 6):
        search.report(bad.number, report, 2.0)
        search.report(good.number, report, 0.5)
    assert search.is_behind(bad.number)
    assert not search.is_behind(good.number)
    again = Search(sweep_with(free_plan(SearchMethod.RANDOM), Trial(bad.number, bad.values, "x")), tmp_path)
    again.report(bad.number, 3, 2.0)  # what was reported before the restart is not reported twice
    assert again.is_behind(bad.number)


@pytest.mark.parametrize("status", [TrialStatus.DIVERGED, TrialStatus.NOT_REACHED])
def test_where_trials_come_to_nothing_the_search_asks_less(status: TrialStatus) -> None:
    search = Search(sweep_with(free_plan(SearchMethod.TPE, 40)), None)
    asked = []
    for _trial in range(40):
        asked.append(search.ask())
        came_to_something = float(asked[-1].values[0]) < 0.5
        search.finish(
            asked[-1].number,
            *((TrialStatus.COMPLETE, value_of(asked[-1])) if came_to_something else (status, None)),
        )
    assert sum(float(each.values[0]) >= 0.5 for each in asked[20:]) <= 3


def test_nothing_is_behind_without_a_report(tmp_path: Path) -> None:
    search = Search(sweep_with(free_plan(SearchMethod.RANDOM)), None)
    asked = search.ask()
    assert not search.is_behind(asked.number)
    search.finish(asked.number, TrialStatus.PRUNED, None)
    search.finish(asked.number, TrialStatus.PRUNED, None)
    assert not search.is_behind(asked.number)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([SearchMethod.RANDOM, SearchMethod.TPE]))
def test_whatever_is_asked_for_can_be_trained(seed: int, method: SearchMethod) -> None:
    plan = sweep_plan_of(method=method, axes=RANGES, trials=3, seed=seed)
    for asked in asked_for(plan, None):
        config = plan.config(asked.values)
        assert 0.001 <= config.learning_rate <= 1
        assert 10 <= config.samples <= 5000
