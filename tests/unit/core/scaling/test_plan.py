"""What a study may be, and what it is not."""

import pytest

from dpdash.core.config import EngineName
from dpdash.core.errors import ConfigError
from dpdash.core.scaling.plan import Point, ScalingMode
from dpdash.core.scaling.study import Study
from tests.unit.sweeps.conftest import plan_of


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"engines": ()}, "Choose one or more engines of"),
        ({"engines": (EngineName.SINGLE,)}, "Choose one or more engines of"),
        ({"replicas": 1}, "replicas must be at least 2. Received: 1. Try 2."),
        ({"replicas": 65}, "replicas must be at most 64. Received: 65. Try 2."),
        ({"repeats": 0}, "repeats must be at least 1. Received: 0. Try 3."),
        ({"seconds": 0.0}, "seconds must be at least 0.05. Received: 0.0. Try 0.25."),
        ({"seconds": float("nan")}, "seconds must be a number. Received: nan. Try 0.25."),
        ({"samples": 0}, "samples must be at least 1"),
        ({"hidden_widths": (8, 5000)}, "hidden width must be at most 4096"),
        ({"hidden_depth": 9}, "hidden depth must be at most 8"),
        ({"hidden_widths": ()}, "hidden widths must have 1 or more entries. Received: 0."),
        (
            {"mode": ScalingMode.WEAK, "samples": 5_000_000},
            "samples must be at most 10000000. Received: 15000000.",
        ),
    ],
)
def test_a_plan_that_cannot_be_measured_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        plan_of(**changes)
    assert sentence in str(raised.value)


def test_a_plan_names_everything_that_is_wrong_with_it() -> None:
    with pytest.raises(ConfigError) as raised:
        plan_of(engines=(), replicas=1, seconds=99.0)
    assert [problem.setting for problem in raised.value.problems] == ["engines", "replicas", "seconds"]


def test_what_is_named_twice_is_measured_once() -> None:
    plan = plan_of(engines=("ddp", "ddp"), hidden_widths=("8", 8), replicas=2)
    assert plan.points == (Point(EngineName.SINGLE, 1, 8), Point(EngineName.DDP, 2, 8))


def test_replicas_share_what_there_are_too_few_of() -> None:
    study = Study("study", "ann", 5.0, plan_of(), num_cores=2, num_gpus=0)
    assert not study.is_oversubscribed(EngineName.CPU_REPLICAS, 2)
    assert study.is_oversubscribed(EngineName.CPU_REPLICAS, 3)
    assert study.is_oversubscribed(EngineName.DDP, 3)
    with_gpus = Study("study", "ann", 5.0, plan_of(), num_cores=2, num_gpus=4)
    assert with_gpus.is_oversubscribed(EngineName.CPU_REPLICAS, 3)
    assert not with_gpus.is_oversubscribed(EngineName.DDP, 4)
    assert with_gpus.is_oversubscribed(EngineName.DDP, 5)


def test_how_ddp_exchanges_is_told_to_the_points_of_ddp_alone() -> None:
    plan = plan_of(engines=(EngineName.CPU_REPLICAS, EngineName.DDP), bucket_cap_mb=0.5, accumulation_steps=2)
    configs = {point.engine: plan.config(point) for point in plan.points}
    assert configs[EngineName.DDP].bucket_cap_mb == 0.5
    assert configs[EngineName.DDP].accumulation_steps == 2
    for engine in (EngineName.SINGLE, EngineName.CPU_REPLICAS):
        assert (configs[engine].bucket_cap_mb, configs[engine].accumulation_steps) == (None, 1)
    with pytest.raises(ConfigError, match="accumulation steps must be at most 64"):
        plan_of(engines=(EngineName.CPU_REPLICAS, EngineName.DDP), accumulation_steps=65)
