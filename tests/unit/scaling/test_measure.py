"""Measuring, point by point: with made-up seconds, and with a real engine."""

import csv
import io
import json
from dataclasses import replace
from itertools import groupby

import pytest

from dpdash.core.config import EngineName
from dpdash.core.errors import EngineUnavailableError
from dpdash.core.events import StepTraced
from dpdash.core.scaling.curve import Spread
from dpdash.core.scaling.plan import Point, ScalingMode
from dpdash.core.steps import Phase, Span, StepTrace
from dpdash.findings.scaling.curves import curves, spread
from dpdash.scaling.export import COLUMNS, as_csv, as_json
from dpdash.scaling.measure import MeasuringError, Turn, measure, require_engines, turns
from dpdash.training.catalog import engine
from dpdash.training.control import RunControl
from tests.fakes import FakeTrainer
from tests.unit.sweeps.conftest import REPLICAS, plan_of, study_of

TWO = Point(REPLICAS, 2, 8)


def test_points_are_measured_in_rounds_after_a_warm_up() -> None:
    plan = plan_of(hidden_widths=(8, 16))
    rounds = [
        (repeat, [turn.point for turn in group]) for repeat, group in groupby(turns(plan), lambda t: t.repeat)
    ]
    assert [repeat for repeat, _points in rounds] == [-1, 0, 1]
    assert rounds[0][1] == [Point(EngineName.SINGLE, 1, 16), Point(REPLICAS, 3, 16)]
    assert rounds[1][1] == rounds[2][1] == list(plan.points)
    assert len(plan.points) * plan.repeats == plan.num_measurements == 12


def test_the_first_block_is_not_counted() -> None:

    trainer = FakeTrainer(lambda config: 200.0)
    measured = measure(plan_of(), Turn(TWO, 0, 0.25), trainer.run, RunControl())
    assert measured is not None
    assert measured.steps_per_second == pytest.approx(200)
    assert (measured.samples, measured.emulated, measured.phases) == (600, True, ())
    assert measured.samples_per_second == pytest.approx(120_000)


def test_the_batch_of_a_replica_stays_the_same_in_weak_mode() -> None:
    plan = plan_of(mode=ScalingMode.WEAK)
    assert [plan.config(point).samples for point in plan.points] == [600, 1200, 1800]
    assert {plan_of().config(point).samples for point in plan.points} == {600}


def test_a_step_that_the_run_takes_apart_is_kept() -> None:
    spans = (Span(Phase.SCATTER, 0, 0.0, 0.001), Span(Phase.LOSS, 0, 0.001, 0.002))
    trace = StepTrace("cpu_replicas", True, 600, (), 1, (), (), (), 0.0, spans, 0.004)
    later = replace(trace, seconds=9.0)
    trainer = FakeTrainer(lambda config: 200.0, StepTraced(1, trace), StepTraced(2, later))
    measured = measure(plan_of(), Turn(TWO, 0, 0.1), trainer.run, RunControl())
    assert measured is not None
    assert measured.traced_seconds == 0.004
    seconds = {part.phase: part.seconds for part in measured.phases}
    assert (seconds["scatter"], seconds["loss"], seconds["backward"]) == (0.001, 0.002, 0.0)


def test_a_run_that_fails_says_so() -> None:
    trainer = FakeTrainer(lambda config: 200.0, failure="The memory of this machine is full.")
    with pytest.raises(MeasuringError, match="memory"):
        measure(plan_of(), Turn(TWO, 0, 0.1), trainer.run, RunControl())


def test_a_run_that_is_stopped_before_gives_no_number() -> None:
    control = RunControl()
    control.stop()
    trainer = FakeTrainer(lambda config: 200.0)
    assert measure(plan_of(), Turn(TWO, 0, 0.1), trainer.run, control) is None


@pytest.mark.parametrize("point", plan_of(replicas=2).points, ids=str)
def test_a_real_engine_is_measured(point: Point) -> None:
    measured = measure(plan_of(), Turn(point, 0, 0.05), engine(point.engine).run, RunControl())
    assert measured is not None
    assert measured.steps_per_second > 1
    assert measured.emulated == (point.engine is REPLICAS)


def test_an_engine_that_this_machine_has_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dpdash.training.catalog.ENGINES", {})
    with pytest.raises(EngineUnavailableError, match="single"):
        require_engines(plan_of())


def test_speed_up_compares_what_was_measured_in_the_same_round() -> None:
    study = study_of(lambda point: 1.5)
    slower = tuple(
        replace(one, steps_per_second=one.steps_per_second / (1 + one.repeat)) for one in study.measurements
    )
    (curve,) = curves(replace(study, measurements=slower))
    assert curve.points[1].speed_up == Spread(1.5, 1.5, 1.5, 0.0)


def test_a_speed_up_spreads_as_its_repeats_do() -> None:
    (curve,) = curves(study_of(lambda point: 1.5, noise=0.1))
    assert [point.replicas for point in curve.points] == [1, 2, 3]
    assert curve.points[0].efficiency == 1.0
    speed_up = curve.points[1].speed_up
    assert (speed_up.low, speed_up.median, speed_up.high) == pytest.approx((1.35, 1.5, 1.65))
    assert speed_up.standard_error == pytest.approx(0.15)
    assert curve.points[2].efficiency == pytest.approx(0.5)


def test_one_repeat_has_no_error() -> None:
    assert spread([2.0]).standard_error == 0.0


def test_files_have_every_measurement() -> None:
    study = study_of(lambda point: 1.5, num_cores=2)
    rows = list(csv.DictReader(io.StringIO(as_csv(study))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(study.measurements)
    assert [row["oversubscribed"] for row in rows[:3]] == ["False", "False", "True"]
    values = json.loads(as_json(study))
    assert len(values["measurements"]) == len(study.measurements)
    assert values["fits"][0]["serial_share"] > 0
    assert values["verdicts"][0]["kind"] == "partial"
    assert "owner" not in values
