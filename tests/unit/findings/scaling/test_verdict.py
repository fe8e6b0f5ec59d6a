"""What a study says is what its numbers say."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpdash.core.config import EngineName
from dpdash.core.scaling.plan import Point, ScalingMode
from dpdash.core.scaling.study import Study, StudyStatus
from dpdash.core.scaling.variants import Variant
from dpdash.core.scaling.waterfall import Part
from dpdash.core.translations import ENGLISH, language
from dpdash.findings.scaling import verdict as words
from dpdash.findings.scaling.causes import LESS_THAN
from dpdash.findings.scaling.curves import curves
from dpdash.findings.scaling.fits import fit
from dpdash.findings.scaling.verdict import (
    NEAR_LINEAR_EFFICIENCY,
    ScalingKind,
    ScalingVerdict,
    verdicts,
    where_it_pays,
)
from tests.unit.findings.scaling.made_up import measured_study, usual_milliseconds
from tests.unit.sweeps.conftest import study_of

SPEED_UPS = st.lists(st.floats(0.01, 8), min_size=3, max_size=3)


def of(study: Study) -> ScalingVerdict:
    (said,) = verdicts(study, curves(study))
    return said


def text(said: ScalingVerdict) -> str:
    return " ".join(language(ENGLISH).sentence(part.template, part.values) for part in said.sentences)


def begins(study: Study) -> str:
    said = where_it_pays(study, curves(study), EngineName.CPU_REPLICAS)
    assert said is not None
    return language(ENGLISH).sentence(said.template, said.values)


@settings(deadline=None)
@given(
    speed_ups=SPEED_UPS,
    num_cores=st.integers(1, 8),
    noise=st.floats(0, 0.5),
    mode=st.sampled_from(ScalingMode),
)
def test_it_never_says_near_linear_when_it_is_not(
    speed_ups: list[float], num_cores: int, noise: float, mode: ScalingMode
) -> None:
    study = study_of(lambda point: speed_ups[point.replicas - 2], num_cores, noise=noise, mode=mode, replicas=4)
    said = of(study)
    parallel = [point for point in curves(study)[0].points if point.replicas > 1 and not point.is_noisy]
    judged = [point for point in parallel if point.replicas <= num_cores] or parallel
    if not judged:
        assert said.kind is ScalingKind.NOISY
    elif min(point.efficiency for point in judged) < NEAR_LINEAR_EFFICIENCY:
        assert said.kind is not ScalingKind.NEAR_LINEAR
        assert "ear-linear" not in text(said)
    if judged and judged[-1].speed_up.median < 1:
        assert said.kind in (ScalingKind.SLOWER, ScalingKind.NO_GAIN)


@pytest.mark.parametrize(
    ("speed_up", "kind"),
    [
        (lambda n: 0.95 * n, ScalingKind.NEAR_LINEAR),
        (lambda n: 1 + 0.5 * (n - 1), ScalingKind.PARTIAL),
        (lambda n: 1.0, ScalingKind.NO_GAIN),
        (lambda n: 0.4, ScalingKind.SLOWER),
    ],
)
def test_each_kind(speed_up: object, kind: ScalingKind) -> None:
    assert of(study_of(lambda point: speed_up(point.replicas))).kind is kind  # type: ignore[operator]


def test_a_gain_within_the_noise_is_none() -> None:
    def hardly(point: Point, way: Variant, turn: int) -> float:
        place = turn if point.is_baseline else 3 * turn + len(way)
        return (4.0 if point.is_baseline else 3.75) * (1 + 0.04 * (place % 5 - 2))

    said = of(measured_study(hardly))
    assert said.kind is ScalingKind.NO_GAIN
    assert "2 replicas are about as fast as one core" in text(said)


def test_slower_is_told_with_its_factor_and_without_a_law() -> None:
    said = text(of(study_of(lambda point: 0.25)))
    assert "3 replicas are 4.00 times slower than one core." in said
    assert "law" not in said


def test_causes_are_told_with_their_milliseconds_which_add_up_the_largest_first() -> None:
    said = of(measured_study())
    assert [cause.part for cause in said.causes] == [
        Part.COPIES,
        Part.ONE_BACKWARD,
        Part.SHARING,
        Part.SMALL_SHARDS,
    ]
    assert said.step is not None
    rest = [cause.sentence.values["milliseconds"] for cause in said.causes]
    ideal, whole = said.step.values["ideal"], said.step.values["milliseconds"]
    assert sum(rest, ideal) == whole == Decimal("5.30")
    assert text(said).startswith(
        "2 replicas are 1.32 times slower than one core. They are 1.77 times slower than the whole CPU. A step "
        "takes 5.30 ms, and 4.00 ms on one core. Split ideally it would take 2.00 ms; the rest is: 1.50 ms copies"
    )


def test_what_would_change_the_largest_is_told_and_nothing_where_nothing_costs() -> None:
    assert "DDP keeps the model where it is" in text(of(measured_study()))
    said = of(measured_study(lambda point, _way, _turn: 4.0 if point.is_baseline else 2.0))
    assert said.kind is ScalingKind.NEAR_LINEAR
    assert (said.advice, said.changes) == ((), ())
    assert "faster with it" not in text(said)


def test_a_gpu_is_called_one() -> None:
    on_gpus = replace(study_of(lambda point: 1.5, engines=(EngineName.DATA_PARALLEL,)), num_gpus=4)
    assert "1.50 times as fast as one GPU" in text(of(on_gpus))


def test_a_part_that_cannot_be_told_from_nothing_is_less_than_its_bound_and_no_cause() -> None:
    said = of(measured_study(lambda _point, way, turn: 4 + 0.1 * ((3 * turn + len(way)) % 5)))
    copies = next(cause for cause in said.causes if cause.part is Part.COPIES)
    assert copies.sentence.template == LESS_THAN and not copies.costs
    assert "less than 0." in text(said)


def test_a_part_that_saves_time_says_so_with_its_sign() -> None:
    def faster(point: Point, way: Variant, turn: int) -> float:
        return 2.5 if way is Variant.ONE_BACKWARD else usual_milliseconds(point, way, turn)

    said = text(of(measured_study(faster)))
    assert "−0.40 ms one backward: the step is faster with it." in said


def test_a_step_faster_than_its_number_allows_is_too_noisy_and_names_no_cause() -> None:
    def impossible(point: Point, way: Variant, turn: int) -> float:
        return usual_milliseconds(point, way, turn) / (1 if point.is_baseline else 10)

    said = of(measured_study(impossible, other_programs=0.38))
    assert said.kind is ScalingKind.NOISY
    assert (said.causes, said.changes, said.step) == ((), (), None)
    assert "2 replicas seem 7.55 times as fast as one core, more than their number allows." in text(said)
    assert "Other programs took 38 % of the cores; measure again on a quiet machine." in text(said)


def test_an_error_above_a_seventh_is_too_noisy_and_says_how_large() -> None:
    said = of(measured_study(lambda point, way, turn: usual_milliseconds(point, way, turn) * (1 + turn % 3)))
    assert said.kind is ScalingKind.NOISY
    assert re.search(r"with an error of \d\d\.\d %", text(said))
    assert "More repeats" in text(said), "nobody disturbed it"


def test_what_was_measured_once_is_no_finding() -> None:
    said = of(measured_study(rounds=1))
    assert said.kind is ScalingKind.NOISY
    assert "2 replicas were measured once" in text(said)


def test_a_noisy_point_is_in_no_law_and_the_clear_ones_are_told() -> None:
    def noisy_at_three(point: Point, way: Variant, turn: int) -> float:
        return usual_milliseconds(point, way, turn) * (1 + (turn % 3 if point.replicas == 3 else 0))

    study = measured_study(noisy_at_three, replicas=3, num_cores=8, engines=(EngineName.DDP,))
    (curve,) = curves(study)
    alone = fit(replace(curve, points=curve.points[:2]), study.plan.mode)
    assert fit(curve, study.plan.mode) == alone
    assert text(of(study)).startswith("2 replicas are 1.14 times as fast as one core")
    assert "With 3 replicas it is too noisy to tell." in text(of(study))


def test_in_weak_mode_the_ideal_is_the_batch_of_one_replica() -> None:
    said = text(of(measured_study(mode=ScalingMode.WEAK)))
    assert "on one core, the batch of one replica takes 4.00 ms. The rest is:" in said


def test_a_study_that_took_no_cause_away_names_none() -> None:
    study = study_of(lambda point: 1.5)
    said = of(replace(study, status=StudyStatus.FINISHED))
    assert said.causes == ()
    assert "Measure again to see what a step is made of." in text(said)


def test_replicas_beyond_the_cores_are_told_apart() -> None:
    said = of(study_of(lambda point: min(point.replicas, 2) * 0.95, num_cores=2, replicas=4))
    assert said.kind is ScalingKind.NEAR_LINEAR
    assert "Near-linear up to 2 replicas" in text(said)
    assert "Oversubscribed beyond 2 replicas" in text(said)
    said = of(study_of(lambda point: 1.5, num_cores=1))
    assert "Oversubscribed" not in text(said), "there is nothing else to compare with"


def test_emulated_devices_say_so() -> None:
    assert words.EMULATED in [part.template for part in of(study_of(lambda point: 1.5)).sentences]
    gpus = study_of(lambda point: 1.5, engines=(EngineName.DATA_PARALLEL,))
    assert words.EMULATED not in [part.template for part in of(gpus).sentences]


def test_a_map_says_where_parallelism_begins_to_pay() -> None:
    widths = (8, 32, 128)
    said = begins(study_of(lambda point: 0.015 * point.hidden_width, hidden_widths=widths))
    assert said.startswith("Parallelism begins to pay at width 128: there, 2 replicas are 1.92 times")
    hardly = {8: 0.5, 32: 1.01, 128: 1.92}
    said = begins(study_of(lambda point: hardly[point.hidden_width], hidden_widths=widths))
    assert said.startswith("Parallelism begins to pay at width 128:"), "1.01 may be noise"
    said = begins(study_of(lambda point: 0.5, hidden_widths=widths))
    assert said.startswith("At no width measured, 8 to 128, are")


def test_nothing_measured_says_nothing() -> None:
    study = study_of(lambda point: 1.0)
    empty = Study("study", "ann", 5.0, study.plan, 2, 0)
    assert verdicts(empty, curves(empty)) == ()


def test_weak_scaling_is_fitted_by_gustafson() -> None:
    said = text(of(study_of(lambda point: 0.8 * point.replicas + 0.2, mode=ScalingMode.WEAK)))
    assert "Gustafson's law fits with a serial share of 20.0 %." in said
