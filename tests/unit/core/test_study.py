"""What a study may be, and what it is not."""

import pytest

from dpdash.core.config import EngineName
from dpdash.core.errors import ConfigError
from dpdash.core.study import Study
from tests.unit.sweeps.conftest import plan_of


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"engines": ()}, "Choose one or more engines of"),
        ({"engines": (EngineName.SINGLE,)}, "Choose one or more engines of"),
        ({"replicas": 1}, "replicas must be from 2 to 64. Received: 1."),
        ({"replicas": 65}, "replicas must be from 2 to 64. Received: 65."),
        ({"repeats": 0}, "repeats must be from 1 to 20. Received: 0."),
        ({"seconds": 0.0}, "seconds must be from 0.05 to 10. Received: 0."),
        ({"seconds": float("nan")}, "seconds must be"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"hidden_widths": (8, 5000)}, "hidden width must be at most 4096"),
        ({"hidden_depth": 9}, "hidden depth must be at most 8"),
    ],
)
def test_a_plan_that_cannot_be_measured_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        plan_of(**changes)
    assert sentence in str(raised.value)


def test_replicas_share_what_there_are_too_few_of() -> None:
    study = Study("study", "ann", 5.0, plan_of(), num_cores=2, num_gpus=0)
    assert not study.is_oversubscribed(EngineName.CPU_REPLICAS, 2)
    assert study.is_oversubscribed(EngineName.CPU_REPLICAS, 3)
    assert study.is_oversubscribed(EngineName.DDP, 3)
    with_gpus = Study("study", "ann", 5.0, plan_of(), num_cores=2, num_gpus=4)
    assert with_gpus.is_oversubscribed(EngineName.CPU_REPLICAS, 3)
    assert not with_gpus.is_oversubscribed(EngineName.DDP, 4)
    assert with_gpus.is_oversubscribed(EngineName.DDP, 5)
