"""The parts of a step add up to it, and each has the error that it has."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpdash.core.config import EngineName
from dpdash.core.scaling.plan import Point, ScalingMode
from dpdash.core.scaling.variants import Variant
from dpdash.core.scaling.waterfall import Beside, Part, Waterfall
from dpdash.findings.scaling.curves import curves
from dpdash.findings.scaling.parts import waterfalls
from tests.unit.findings.scaling.made_up import MILLISECONDS, measured_study, usual_milliseconds
from tests.unit.sweeps.conftest import REPLICAS, study_of

BOTH = (REPLICAS, EngineName.DDP)


def milliseconds(waterfall: Waterfall) -> dict[Part, float]:
    return {part: round(one.milliseconds, 6) for part, one in waterfall.parts.items()}


@settings(deadline=None)
@given(data=st.data(), mode=st.sampled_from(ScalingMode), rounds=st.integers(1, 4))
def test_they_add_up_to_the_nanosecond(data: st.DataObject, mode: ScalingMode, rounds: int) -> None:
    seconds = st.floats(0.001, 1000, allow_subnormal=False)
    study = measured_study(
        lambda _point, _way, _turn: data.draw(seconds), rounds=rounds, engines=BOTH, replicas=3, mode=mode
    )
    found = waterfalls(study)
    assert [(one.engine, one.replicas) for one in found] == [(engine, num) for engine in BOTH for num in (2, 3)]
    for one in found:
        assert sum(part.nanoseconds for part in one.parts.values()) == one.step.nanoseconds
        assert list(one.parts) == [part for part in Part if part in one.parts]


def test_each_cause_is_what_a_step_takes_longer_with_it() -> None:
    data_parallel, ddp = waterfalls(
        measured_study(lambda point, way, _turn: MILLISECONDS[point.engine][way], engines=BOTH)
    )
    assert milliseconds(data_parallel) == {
        Part.IDEAL: 2.0,
        Part.SMALL_SHARDS: 0.2,
        Part.SHARING: 0.7,
        Part.ONE_BACKWARD: 0.9,
        Part.COPIES: 1.5,
    }
    assert (data_parallel.step.milliseconds, data_parallel.beside) == (5.3, {})
    assert milliseconds(ddp) == {
        Part.IDEAL: 2.0,
        Part.SMALL_SHARDS: 0.2,
        Part.SHARING: 0.2,
        Part.BOOKKEEPING: 0.3,
        Part.EXCHANGE: 0.8,
    }
    assert {name: one.milliseconds for name, one in ddp.beside.items()} == {
        Beside.EXCHANGE_HIDDEN: pytest.approx(0.4),
        Beside.WAITING: pytest.approx(0.3),
    }


def test_it_is_compared_with_one_core_and_with_the_whole_cpu() -> None:
    (found,) = waterfalls(measured_study())
    assert found.speed_up.median == pytest.approx(4.0 / 5.3)
    assert found.speed_up_of_cpu is not None and found.whole_cpu is not None
    assert found.speed_up_of_cpu.median == pytest.approx(3.0 / 5.3)
    assert (found.one_device.milliseconds, found.whole_cpu.milliseconds) == pytest.approx((4.0, 3.0))
    (alone,) = waterfalls(measured_study(num_cores=1))
    assert (alone.whole_cpu, alone.speed_up_of_cpu) == (None, None)


def test_its_speed_up_is_that_of_the_curve() -> None:
    study = measured_study(mode=ScalingMode.WEAK, replicas=3, engines=BOTH)
    of_curves = [point.speed_up for curve in curves(study) for point in curve.points if point.replicas > 1]
    for one, other in zip(waterfalls(study), of_curves, strict=True):
        assert one.speed_up.median == pytest.approx(other.median)
        assert one.speed_up.standard_error == pytest.approx(other.standard_error)


def test_in_weak_mode_the_ideal_is_a_replicas_batch_on_one_device() -> None:
    (found,) = waterfalls(
        measured_study(lambda point, way, _turn: MILLISECONDS[point.engine][way], mode=ScalingMode.WEAK)
    )
    assert milliseconds(found)[Part.IDEAL] == 4.0
    assert Part.SMALL_SHARDS not in found.parts
    assert found.speed_up.median == pytest.approx(2 * 4.0 / 5.3)


def test_what_slows_a_whole_round_is_in_no_difference() -> None:
    slow = (1.0, 1.3, 1.0, 1.6, 1.1, 1.0, 1.2)
    steady = waterfalls(measured_study(lambda point, way, turn: MILLISECONDS[point.engine][way] + slow[turn]))[0]
    assert steady.parts[Part.COPIES].error == 0
    assert steady.step.error > 0


def test_an_error_of_a_part_comes_from_the_turns() -> None:
    (found,) = waterfalls(measured_study())
    for part in found.parts.values():
        assert 0 < part.error < 0.1 * found.step.nanoseconds
    assert not found.is_noisy


def test_a_small_difference_is_lost_in_noise_and_may_be_negative() -> None:
    def same(point: Point, way: Variant, turn: int) -> float:
        faster = 0.999 if way is Variant.ONE_BACKWARD else 1.0
        return usual_milliseconds(point, Variant.ENGINE, turn + len(way)) * faster

    parts = waterfalls(measured_study(same))[0].parts
    assert parts[Part.ONE_BACKWARD].is_lost_in_noise
    assert parts[Part.ONE_BACKWARD].nanoseconds < 0


def test_only_whole_rounds_are_compared() -> None:
    study = measured_study()
    cut = replace(study, measurements=study.measurements[:-1])
    assert waterfalls(cut)[0].num_turns == waterfalls(study)[0].num_turns - 1


def test_a_study_that_measured_only_the_engine_has_none() -> None:
    assert waterfalls(study_of(lambda point: 1.5)) == ()


def test_the_whole_step_is_no_number_of_the_air() -> None:
    (found,) = waterfalls(measured_study(engines=(EngineName.DDP,)))
    assert math.isclose(found.step.milliseconds, 3.5, rel_tol=0.02)
