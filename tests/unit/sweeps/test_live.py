"""A sweep with the real run service: its trials, its stops, its share of the slots, and what it waits for."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import FrozenError, TooManyRunsError
from dpdash.core.events import RunStatus
from dpdash.core.settings import ServerSettings
from dpdash.core.sweep import Sweep, SweepPlan, SweepStatus, TrialStatus
from dpdash.core.sweep_axis import Axis
from dpdash.runs.service import Pace, RunService
from dpdash.store.store import RunStore
from dpdash.sweeps import live as sweep_live
from dpdash.sweeps.live import LiveSweep, Share
from dpdash.sweeps.search import Asked, Search
from dpdash.training.catalog import require
from dpdash.training.engine import Engine
from tests.fakes import LossEngine, eventually
from tests.unit.sweeps.conftest import sweep_plan_of

LONG = 60.0
MakeRuns = Callable[..., RunService]


@pytest.fixture
def make_runs(tmp_path: Path) -> Iterator[MakeRuns]:
    made: list[RunService] = []

    def make(engine: Engine | None = None, slots: int = 2, **settings: Any) -> RunService:
        url = f"sqlite:///{tmp_path / 'runs.db'}"
        chosen = ServerSettings(database_url=url, full_speed_slots=slots, **settings)
        made.append(RunService(chosen, RunStore(url), find_engine=lambda config: engine or require(config)))
        return made[-1]

    yield make
    for service in made:
        service.shutdown()


def nothing_idle() -> int:
    """Others want every slot."""
    return 0


def live(runs: RunService, plan: SweepPlan, share: int = 1) -> LiveSweep:
    return LiveSweep(Sweep("sweep", "ann", 5.0, plan), runs, Share(share, nothing_idle))


def test_every_trial_is_an_ordinary_run(make_runs: MakeRuns) -> None:
    runs = make_runs()
    sweep = live(runs, sweep_plan_of())
    sweep.start()
    assert sweep.wait(LONG)
    found = sweep.snapshot()
    assert (found.sweep.status, found.is_live) == (SweepStatus.FINISHED, False)
    assert [trial.status for trial in found.sweep.trials] == [TrialStatus.COMPLETE] * 4
    assert all(trial.value is not None and trial.value >= 0 for trial in found.sweep.trials)
    for trial in found.sweep.trials:
        record = next(record for record in runs.runs.latest() if record.run_id == trial.run_id)
        assert (record.owner, record.sweep_id, record.status) == ("ann", "sweep", RunStatus.FINISHED)
        assert record.config == found.sweep.plan.config(trial.values)
        assert trial.slope == pytest.approx(record.slope)


@pytest.mark.parametrize("share", [1, 2])
def test_no_more_trials_at_a_time_than_its_share(make_runs: MakeRuns, share: int) -> None:
    engine = LossEngine(lambda config: 1.0, waits=lambda config: True)
    runs = make_runs(engine, slots=4)
    sweep = live(runs, sweep_plan_of(), share)
    sweep.start()
    eventually(lambda: runs.runs.num_training() == share)
    others = runs.start(RunConfig(samples=50, epochs=20), "bob", Pace.full_speed())
    eventually(lambda: runs.runs.num_training() == share + 1)
    assert len(sweep.snapshot().sweep.trials) == share
    engine.gate.set()
    assert sweep.wait(LONG)
    assert runs.runs.wait(others, LONG)
    assert sweep.snapshot().sweep.num_over == 4


def test_a_sweep_takes_idle_slots_and_gives_them_back_within_one_trial(make_runs: MakeRuns) -> None:
    engine = LossEngine(lambda config: 1.0, waits=lambda config: config.samples == 50)
    runs = make_runs(engine, slots=3)
    share = Share(1, runs.num_unwanted_slots)
    sweep = LiveSweep(Sweep("sweep", "ann", 5.0, sweep_plan_of()), runs, share)
    runs.on_change(lambda _run_id: sweep.look())
    sweep.start()
    eventually(lambda: runs.runs.num_training() == 3)
    pressed = runs.start(RunConfig(samples=60, epochs=20), "bob", Pace.full_speed())
    assert runs.runs.snapshot(pressed).place == 1
    runs.stop(sweep.snapshot().sweep.trials[0].run_id, "ann")
    assert runs.runs.wait(pressed, LONG), "one trial has ended, and none other has taken its slot"
    engine.gate.set()
    assert sweep.wait(LONG)
    assert sweep.snapshot().sweep.num_over == 4


def test_a_sweep_leaves_its_owner_a_run(make_runs: MakeRuns) -> None:
    engine = LossEngine(lambda config: 1.0, waits=lambda config: True)
    runs = make_runs(engine, slots=4, max_runs_per_browser=3)
    sweep = LiveSweep(Sweep("sweep", "ann", 5.0, sweep_plan_of()), runs, Share(1, runs.num_unwanted_slots))
    sweep.start()
    eventually(lambda: runs.runs.num_training() == 2)
    own = runs.start(RunConfig(samples=60, epochs=20), "ann", Pace.full_speed())
    engine.gate.set()
    assert runs.runs.wait(own, LONG) and sweep.wait(LONG)
    assert sweep.snapshot().sweep.num_over == 4


def test_the_runs_of_a_sweep_that_is_kept_as_over_are_saved_whole(make_runs: MakeRuns, tmp_path: Path) -> None:
    saved: list[int] = []

    def keep(sweep: Sweep) -> None:
        if sweep.status.is_over:
            with closing(sqlite3.connect(tmp_path / "runs.db")) as database:
                saved.extend(database.execute("SELECT count(*) FROM runs WHERE ended_at IS NOT NULL").fetchone())

    runs = make_runs()
    sweep = LiveSweep(Sweep("sweep", "ann", 5.0, sweep_plan_of()), runs, Share(2, nothing_idle), keep)
    sweep.start()
    assert sweep.wait(LONG)
    assert saved == [4]


def test_two_sweeps_share_what_there_is(make_runs: MakeRuns) -> None:
    engine = LossEngine(lambda config: 1.0, waits=lambda config: True)
    runs, share = make_runs(engine, slots=4), Share(1, nothing_idle)
    first = LiveSweep(Sweep("first", "ann", 5.0, sweep_plan_of()), runs, share)
    second = LiveSweep(Sweep("second", "bob", 5.0, sweep_plan_of()), runs, share)
    first.start()
    eventually(lambda: first.snapshot().sweep.trials)
    second.start()
    eventually(lambda: second.snapshot().waiting_for is not None)
    assert "Other runs and sweeps have the slots" in str(second.snapshot().waiting_for)
    assert second.snapshot().sweep.trials == ()
    engine.gate.set()
    assert first.wait(LONG) and second.wait(LONG)
    assert first.snapshot().sweep.num_over == second.snapshot().sweep.num_over == 4


def test_a_hopeless_trial_is_stopped_early(make_runs: MakeRuns) -> None:
    """It stands in the middle, far behind, while others end: it would stand for ever if nobody stopped it."""
    rates = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
    engine = LossEngine(
        lambda config: 50.0 if config.learning_rate == 0.1 else 1.0,
        waits=lambda config: config.learning_rate == 0.1,
    )
    runs = make_runs(engine)
    sweep = live(runs, sweep_plan_of(axes=(Axis("learning_rate", rates),), prunes=True), share=2)
    sweep.start()
    assert sweep.wait(LONG)
    found = {trial.values[0]: trial for trial in sweep.snapshot().sweep.trials}
    assert [found[rate].status for rate in rates] == [TrialStatus.COMPLETE] * 6 + [TrialStatus.PRUNED]
    assert found[0.1].num_epochs == 10
    assert runs.runs.snapshot(found[0.1].run_id).status is RunStatus.STOPPED


def test_stop_ends_what_trains_and_starts_nothing_more(make_runs: MakeRuns) -> None:
    runs = make_runs(LossEngine(lambda config: 1.0, waits=lambda config: True))
    sweep = live(runs, sweep_plan_of())
    sweep.start()
    eventually(lambda: sweep.snapshot().sweep.trials)
    sweep.stop()
    sweep.stop(SweepStatus.STOPPED_BY_TEACHER)
    assert sweep.wait(LONG)
    found = sweep.snapshot().sweep
    assert found.status is SweepStatus.STOPPED
    assert [trial.status for trial in found.trials] == [TrialStatus.STOPPED]
    assert len(runs.runs.latest()) == 1


def test_a_sweep_whose_search_breaks_gives_its_place_back(
    make_runs: MakeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(search: Search) -> Asked:
        raise OSError("No space left on device")

    monkeypatch.setattr(Search, "ask", full)
    share = Share(1, nothing_idle)
    sweep = LiveSweep(Sweep("sweep", "ann", 5.0, sweep_plan_of()), make_runs(), share)
    sweep.start()
    assert sweep.wait(LONG)
    found = sweep.snapshot().sweep
    assert (found.status, "No space left" in found.message) == (SweepStatus.FAILED, True)
    assert share.take(), "the next sweep starts"
    assert not share.take(), "no place was given back twice"


@pytest.mark.parametrize("how", ["breaks", "is left"])
def test_places_of_trials_that_train_are_given_back(
    make_runs: MakeRuns, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def broken(search: Search, number: int) -> bool:
        raise RuntimeError("broken")

    runs = make_runs(LossEngine(lambda config: 1.0, waits=lambda config: True))
    share = Share(1, nothing_idle)
    sweep = LiveSweep(Sweep("sweep", "ann", 5.0, sweep_plan_of(prunes=True)), runs, share)
    sweep.start()
    eventually(lambda: sweep.snapshot().sweep.trials)
    assert not share.take()
    if how == "breaks":
        monkeypatch.setattr(Search, "is_behind", broken)
    else:
        sweep.leave()
    assert sweep.wait(LONG)
    assert share.take()
    assert not share.take()


def test_a_trial_that_a_person_stops_ends_only_itself(make_runs: MakeRuns) -> None:
    engine = LossEngine(lambda config: 1.0, waits=lambda config: config.learning_rate == 0.01)
    runs = make_runs(engine)
    sweep = live(runs, sweep_plan_of(axes=(Axis("learning_rate", (0.01, 0.1)),)))
    sweep.start()

    def stop_what_stands() -> bool:
        for trial in sweep.snapshot().sweep.trials:
            if trial.values == (0.01,):
                runs.stop(trial.run_id, "ann")
                return True
        return False

    eventually(stop_what_stands)
    assert sweep.wait(LONG)
    found = sweep.snapshot().sweep
    assert found.status is SweepStatus.FINISHED
    assert {trial.values: trial.status for trial in found.trials} == {
        (0.01,): TrialStatus.STOPPED,
        (0.1,): TrialStatus.COMPLETE,
    }


def test_stop_all_ends_the_sweep(make_runs: MakeRuns) -> None:
    runs = make_runs(LossEngine(lambda config: 1.0, waits=lambda config: True))
    sweep = live(runs, sweep_plan_of())
    sweep.start()
    eventually(lambda: sweep.snapshot().sweep.trials)
    runs.room.stop_all()
    assert sweep.wait(LONG)
    assert sweep.snapshot().sweep.status is SweepStatus.STOPPED_BY_TEACHER


def test_a_freeze_holds_the_sweep_until_it_ends(make_runs: MakeRuns) -> None:
    runs = make_runs()
    runs.room.freeze(True)
    sweep = live(runs, sweep_plan_of())
    sweep.start()
    eventually(lambda: sweep.snapshot().waiting_for is not None)
    assert isinstance(sweep.snapshot().waiting_for, FrozenError)
    assert sweep.snapshot().sweep.trials == ()
    runs.room.freeze(False)
    assert sweep.wait(LONG)
    assert sweep.snapshot().sweep.num_over == 4


def test_the_owners_limit_of_runs_holds(make_runs: MakeRuns) -> None:
    engine = LossEngine(lambda config: 1.0, waits=lambda config: config.epochs == 30)
    runs = make_runs(engine, slots=4, max_runs_per_browser=2)
    own = [runs.start(RunConfig(samples=50, epochs=30), "ann", Pace.full_speed()) for _run in range(2)]
    sweep = live(runs, sweep_plan_of())
    sweep.start()
    eventually(lambda: sweep.snapshot().waiting_for is not None)
    assert isinstance(sweep.snapshot().waiting_for, TooManyRunsError)
    runs.stop(own[0], "ann")
    assert sweep.wait(LONG)
    assert sweep.snapshot().sweep.num_over == 4


def test_a_browser_that_is_gone_does_not_end_its_sweep(make_runs: MakeRuns) -> None:
    engine = LossEngine(lambda config: 1.0, waits=lambda config: True)
    runs = make_runs(engine, slots=4)
    runs.browser_opened("ann")
    own = runs.start(RunConfig(samples=50, epochs=20), "ann", Pace.full_speed())
    sweep = live(runs, sweep_plan_of())
    sweep.start()
    eventually(lambda: sweep.snapshot().sweep.trials)
    runs.browser_closed("ann")
    runs._visitors._clock = lambda: 1e12
    runs.stop_abandoned()
    assert runs.runs.wait(own, LONG)
    trial = sweep.snapshot().sweep.trials[0]
    assert runs.runs.snapshot(trial.run_id).is_live and not runs.runs.snapshot(trial.run_id).is_stopping
    engine.gate.set()
    assert sweep.wait(LONG)
    assert sweep.snapshot().sweep.num_over == 4


def test_what_is_left_is_taken_up_again(make_runs: MakeRuns) -> None:
    engine = LossEngine(lambda config: 1.0, waits=lambda config: config.optimizer == "sgd")
    runs, kept = make_runs(engine), list[Sweep]()
    first = LiveSweep(Sweep("sweep", "ann", 5.0, sweep_plan_of()), runs, Share(1, nothing_idle), kept.append)
    first.start()
    eventually(lambda: any(trial.values[1] == "sgd" for trial in first.snapshot().sweep.trials))
    first.leave()
    assert first.wait(LONG)
    left = kept[-1]
    assert left.status is SweepStatus.SEARCHING
    assert [trial.status for trial in left.trials].count(TrialStatus.RUNNING) == 1
    runs.shutdown()
    second = LiveSweep(left, make_runs(), Share(1, nothing_idle))
    second.start()
    assert second.wait(LONG)
    found = second.snapshot().sweep
    assert found.status is SweepStatus.FINISHED
    assert {trial.values for trial in found.trials} == {(r, o) for r in (0.01, 0.1) for o in ("adam", "sgd")}
    done = [trial for trial in left.trials if trial.status.is_over]
    assert all(trial in found.trials for trial in done), "what was found is not trained again"
    again = next(trial for trial in left.trials if not trial.status.is_over)
    assert found.trials[again.number].run_id != again.run_id


def test_the_end_of_the_server_leaves_it_searching(make_runs: MakeRuns) -> None:
    runs, kept = make_runs(LossEngine(lambda config: 1.0, waits=lambda config: True)), list[Sweep]()
    sweep = LiveSweep(Sweep("sweep", "ann", 5.0, sweep_plan_of()), runs, Share(1, nothing_idle), kept.append)
    sweep.start()
    eventually(lambda: sweep.snapshot().sweep.trials)
    runs.shutdown()
    assert sweep.wait(LONG)
    assert kept[-1].status is SweepStatus.SEARCHING


def test_a_sweep_whose_end_cannot_be_told_has_failed(make_runs: MakeRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_arguments: object) -> None:
        raise RuntimeError("File away")

    monkeypatch.setattr(sweep_live, "Search", breaks)
    sweep = live(make_runs(), sweep_plan_of())
    sweep.start()
    assert sweep.wait(LONG)
    assert sweep.snapshot().sweep.status is SweepStatus.FAILED
    assert "File away" in sweep.snapshot().sweep.message
