"""Measuring, point by point, with made-up seconds."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from itertools import groupby

import pytest

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import EngineUnavailableError
from dpdash.core.scaling.plan import ScalingMode
from dpdash.core.scaling.study import Measurement, Study
from dpdash.core.scaling.variants import Variant
from dpdash.scaling.export import COLUMNS, as_csv, as_json
from dpdash.scaling.measure import StudyRounds, by_weight, require_engines
from dpdash.scaling.messages import Fitted, Measured, Order
from dpdash.training.variants.steady import Steady
from tests.fakes import FakeClock
from tests.unit.sweeps.conftest import REPLICAS, plan_of, study_of

ROUND = 10
"""Measurements of a round of one device and of two and three CPU replicas."""


class Timed:
    """Measures nothing; each turn takes what a test decides, by a clock that it turns itself."""

    def __init__(self, seconds: Callable[[RunConfig], float]) -> None:
        self.turns: list[tuple[EngineName, int, Variant, float]] = []
        self.clock = FakeClock()
        self._seconds = seconds

    def measure(self, config: RunConfig, variant: Variant, seconds: float) -> Steady:
        self.turns.append((config.engine, config.replicas, variant, seconds))
        self.clock.now += self._seconds(config)
        return Steady(0.01, 10, waiting_seconds=0.002)


def told(measurer: Timed, study: Study, seconds: float | None = None) -> list[Fitted | Measured]:
    """All that is said while a study is measured."""
    order = Order(study, None if seconds is None else measurer.clock.now + seconds)
    return list(StudyRounds(order, measurer, lambda: 0.25, measurer.clock).measure())


def measured(said: list[Fitted | Measured]) -> list[Measurement]:
    found = [each.measurement for each in said if isinstance(each, Measured)]
    return [one for one in found if isinstance(one, Measurement)]


def new(num_cores: int = 2, **changes: object) -> Study:
    return Study("study", "ann", 5.0, plan_of(**changes), num_cores, 0)


def test_every_way_of_every_point_has_its_turn_in_each_round() -> None:
    study = new(hidden_widths=(8, 16))
    said = measured(told(Timed(lambda _config: 1.0), study))
    for repeat in (0, 1):
        turns = [(one.point, one.variant) for one in said if one.repeat == repeat]
        assert len(turns) == 2 * ROUND
        assert set(turns) == {(point, way) for point in study.points for way in study.ways(point)}
        # Ways of a point follow each other: what disturbs one then disturbs the others too.
        assert [point for point, _turns in groupby(turns, lambda turn: turn[0])] == list(
            dict.fromkeys(point for point, _way in turns)
        )
    assert len(said) == study.num_wanted


def test_what_costs_more_the_first_time_is_paid_before() -> None:
    measurer = Timed(lambda _config: 1.0)
    told(measurer, new(repeats=1))
    assert measurer.turns[:2] == [
        (EngineName.SINGLE, 1, Variant.ENGINE, 0.2 * 0.1),
        (REPLICAS, 3, Variant.ENGINE, 0.2 * 0.1),
    ]
    assert len(measurer.turns) == 2 + ROUND


def test_a_measurement_says_what_was_measured() -> None:
    one = measured(told(Timed(lambda _config: 1.0), new()))[-1]
    assert (one.steps_per_second, one.samples, one.repeat, one.emulated) == (100.0, 600, 1, True)
    assert (one.other_programs, one.waiting_seconds) == (0.25, 0.002)
    assert one.samples_per_second == pytest.approx(60_000)


def test_the_most_telling_numbers_of_replicas_come_first() -> None:
    assert by_weight((2, 3, 4, 5, 6, 7, 8)) == (8, 2, 5, 3, 4, 6, 7)
    assert by_weight((2,)) == (2,)


@pytest.mark.parametrize(
    ("seconds", "left_out", "rounds", "num_measured"),
    [
        # Two warm-ups, and two rounds of 18 turns, a second each.
        (None, (), None, 36),
        (45.0, (), None, 36),
        (37.0, (4,), None, 28),
        (28.0, (3, 4), None, 20),
        (18.0, (3, 4), 1, 10),
        (5.0, (3, 4), 1, 10),
    ],
)
def test_there_are_fewer_points_before_there_are_fewer_rounds(
    seconds: float | None, left_out: tuple[int, ...], rounds: int | None, num_measured: int
) -> None:
    said = told(Timed(lambda _config: 1.0), new(replicas=5), seconds)
    fitted = [each for each in said if isinstance(each, Fitted)]
    assert fitted[-1:] == ([Fitted(left_out, rounds)] if left_out or rounds else [])
    turns = Counter((one.point, one.variant) for one in measured(said))
    assert len(set(turns.values())) == 1, "no point has fewer turns than another"
    assert turns.total() == num_measured
    assert {2, 5} <= {point.replicas for point, _way in turns}


def test_rounds_that_became_slower_are_fewer() -> None:
    measurer = Timed(lambda _config: 1.0 if len(measurer.turns) < 2 + 4 * ROUND else 6.0)
    said = told(measurer, new(repeats=10), seconds=140.0)
    # Four rounds of 10 s, then 60 s each.
    assert said[-1] == Fitted((), 5) or Fitted((), 5) in said
    assert len(measured(said)) == 5 * ROUND


def test_time_left_is_what_all_turns_to_come_have_taken() -> None:
    said = told(Timed(lambda config: float(config.replicas)), new())
    left = [each.seconds_left for each in said if isinstance(each, Measured)]
    # One device twice, three replicas and two replicas four times each: 22 s a round.
    assert left[ROUND - 1] == pytest.approx(22.0)
    assert left[-1] == pytest.approx(0.0)
    assert left == sorted(left, reverse=True) or left[ROUND:] == sorted(left[ROUND:], reverse=True)


def test_the_batch_of_a_replica_stays_the_same_in_weak_mode() -> None:
    plan = plan_of(mode=ScalingMode.WEAK)
    assert [plan.config(point).samples for point in plan.points] == [600, 1200, 1800]
    assert {plan_of().config(point).samples for point in plan.points} == {600}


def test_an_engine_that_this_machine_has_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dpdash.training.catalog.ENGINES", {})
    with pytest.raises(EngineUnavailableError, match="single"):
        require_engines(plan_of())


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
