from dataclasses import replace

import pytest

from dpdash.core.config import EngineName
from dpdash.core.scaling.plan import Point
from dpdash.core.scaling.study import Measurement, Study, StudyStatus
from dpdash.core.scaling.variants import OF_DATA_PARALLEL, Variant
from tests.unit.sweeps.conftest import REPLICAS, plan_of

ONE = Point(EngineName.SINGLE, 1, 8)
TWO, THREE = Point(REPLICAS, 2, 8), Point(REPLICAS, 3, 8)


def study_with(num_measured: int, num_cores: int = 4, num_gpus: int = 0) -> Study:
    """A study of which so much is measured, in the order of its rounds."""
    empty = Study("study", "ann", 5.0, plan_of(), num_cores, num_gpus)
    turns = [
        Measurement(point, repeat, 600, 100.0, emulated=False, variant=way)
        for repeat in range(empty.plan.repeats)
        for point in empty.points
        for way in empty.ways(point)
    ]
    assert len(turns) == empty.num_wanted
    return replace(empty, measurements=tuple(turns[:num_measured]))


@pytest.mark.parametrize(
    ("num_cores", "num_gpus", "ways"),
    [(2, 0, (Variant.ENGINE, Variant.WHOLE_CPU)), (1, 0, (Variant.ENGINE,)), (8, 1, (Variant.ENGINE,))],
)
def test_the_whole_cpu_is_measured_where_it_is_more_than_one_device(
    num_cores: int, num_gpus: int, ways: tuple[Variant, ...]
) -> None:
    study = study_with(0, num_cores, num_gpus)
    assert study.ways(ONE) == ways
    assert study.ways(TWO) == OF_DATA_PARALLEL
    assert study.num_wanted == (len(ways) + 8) * 2


def test_what_is_left_out_is_not_wanted() -> None:
    study = replace(study_with(0), left_out=(2,), rounds=1)
    assert study.points == (ONE, THREE)
    assert study.num_wanted == 6


def test_an_older_study_wanted_its_engines_alone() -> None:
    measured = tuple(Measurement(point, 0, 600, 100.0, emulated=True) for point in plan_of().points)
    study = replace(study_with(0), measurements=measured, status=StudyStatus.CANCELLED)
    assert study.num_wanted == 6


@pytest.mark.parametrize(
    ("num_measured", "points", "num_kept"),
    [
        (1, (), 0),
        (2, (ONE,), 2),
        (5, (ONE,), 2),
        (6, (ONE, TWO), 6),
        (9, (ONE, TWO), 6),
        (10, (ONE, TWO, THREE), 10),
        (19, (ONE, TWO, THREE), 10),
        (20, (ONE, TWO, THREE), 20),
    ],
)
def test_no_point_has_fewer_turns_than_another(
    num_measured: int, points: tuple[Point, ...], num_kept: int
) -> None:
    even = study_with(num_measured).even()
    assert tuple(dict.fromkeys(one.point for one in even.measurements)) == points
    assert len(even.measurements) == num_kept
