"""What a study says is what its numbers say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.config import EngineName
from dpdash.core.scaling.plan import ScalingMode
from dpdash.core.scaling.study import Study
from dpdash.core.translations import ENGLISH, language
from dpdash.findings.scaling import verdict as words
from dpdash.findings.scaling.curves import curves
from dpdash.findings.scaling.verdict import NEAR_LINEAR_EFFICIENCY, Limit, ScalingKind, ScalingVerdict, verdicts
from tests.unit.sweeps.conftest import study_of

SPEED_UPS = st.lists(st.floats(0.01, 8), min_size=3, max_size=3)


def of(study: Study) -> ScalingVerdict:
    (said,) = verdicts(study, curves(study))
    return said


def text(said: ScalingVerdict) -> str:
    return " ".join(language(ENGLISH).sentence(part.template, part.values) for part in said.sentences)


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
    fair = [point for point in curves(study)[0].points if 1 < point.replicas <= num_cores]
    judged = fair or [point for point in curves(study)[0].points if point.replicas > 1]
    if min(point.efficiency for point in judged) < NEAR_LINEAR_EFFICIENCY:
        assert said.kind is not ScalingKind.NEAR_LINEAR
        assert "ear-linear" not in text(said)
    if judged[-1].speed_up.median < 1:
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
    assert of(study_of(lambda point: 1.3, noise=0.4)).kind is ScalingKind.NO_GAIN


def test_no_gain_is_told_first_and_in_a_line() -> None:
    first, second, *_others = of(study_of(lambda point: 1.0)).sentences
    told = [language(ENGLISH).sentence(one.template, one.values) for one in (first, second)]
    assert told[0] == "3 replicas are not faster here: 1.00 times one device."
    assert "noise" in told[1]


def test_slower_is_told_with_its_factor_and_without_a_law() -> None:
    said = text(of(study_of(lambda point: 0.25)))
    assert "3 replicas are 4.00 times slower than one device." in said
    assert "No serial share" in said


@pytest.mark.parametrize(
    ("phases", "limit", "told"),
    [
        ({"scatter": 0.2, "replicate": 0.3, "gather": 0.1, "reduce": 0.1, "loss": 0.1}, Limit.COPYING, "70.0 %"),
        ({"scatter": 0.05, "loss": 0.3, "optimizer": 0.25, "backward": 0.2}, Limit.FIRST_DEVICE, "55.0 %"),
        ({"scatter": 0.05, "loss": 0.05, "backward": 0.9}, Limit.OVERHEAD, "Python"),
    ],
)
def test_what_limits_is_what_takes_most_of_a_step(phases: dict[str, float], limit: Limit, told: str) -> None:
    said = of(study_of(lambda point: 0.5, phases=phases))
    assert said.limit is limit
    assert told in text(said)


def test_ddp_is_not_told_to_try_ddp() -> None:
    phases = {"reduce": 0.5}
    said = of(study_of(lambda point: 1.2, phases=phases, engines=(EngineName.DDP,)))
    assert said.limit is Limit.COPYING
    assert "DDP" not in text(said)


def test_without_a_step_taken_apart_only_the_sum_is_told() -> None:
    said = of(study_of(lambda point: 1.5))
    assert said.limit is Limit.OVERHEAD
    assert "50.0 % of a step of 6.67 ms is not split work" in text(said)


def test_near_the_ideal_nothing_limits() -> None:
    assert of(study_of(lambda point: 0.99 * point.replicas)).limit is Limit.NOTHING


def test_replicas_beyond_the_cores_are_told_apart() -> None:
    said = of(study_of(lambda point: min(point.replicas, 2) * 0.95, num_cores=2, replicas=4))
    assert said.kind is ScalingKind.NEAR_LINEAR
    assert "Near-linear up to 2 replicas" in text(said)
    assert "Oversubscribed beyond 2 replicas" in text(said)
    said = of(study_of(lambda point: 1.5, num_cores=1))
    assert said.limit is Limit.CORES
    assert "oversubscribed" in text(said)


def test_emulated_devices_say_so() -> None:
    assert words.EMULATED in [part.template for part in of(study_of(lambda point: 1.5)).sentences]
    gpus = study_of(lambda point: 1.5, engines=(EngineName.DATA_PARALLEL,))
    assert words.EMULATED not in [part.template for part in of(gpus).sentences]


def test_a_map_says_where_parallelism_begins_to_pay() -> None:
    widths = (8, 32, 128)
    said = of(study_of(lambda point: 0.02 * point.hidden_width, hidden_widths=widths))
    assert text(said).startswith("Parallelism begins to pay at width 128: there, 2 replicas are 2.56 times")
    hardly = {8: 0.5, 32: 1.01, 128: 2.56}
    said = of(study_of(lambda point: hardly[point.hidden_width], hidden_widths=widths))
    assert text(said).startswith("Parallelism begins to pay at width 128:"), "1.01 may be noise"
    said = of(study_of(lambda point: 0.5, hidden_widths=widths))
    assert text(said).startswith("At no width measured, 8 to 128, are")


def test_nothing_measured_says_nothing() -> None:
    study = study_of(lambda point: 1.0)
    empty = Study("study", "ann", 5.0, study.plan, 2, 0)
    assert verdicts(empty, curves(empty)) == ()


def test_weak_scaling_is_fitted_by_gustafson() -> None:
    said = text(of(study_of(lambda point: 0.8 * point.replicas + 0.2, mode=ScalingMode.WEAK)))
    assert "Gustafson's law fits with a serial share of 20.0 %." in said
