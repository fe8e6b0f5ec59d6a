"""What is said about the memory of a step."""

from dataclasses import replace

import pytest

from dpdash.core.steps import ReplicaStep, StepTrace
from dpdash.core.translations import language
from dpdash.ui.parallelism.charts import _memory_texts
from dpdash.ui.session.language import speaking

COUNTED = "Memory is counted from the tensors that the step is known to hold."
REPLICA = ReplicaStep("CPU", 5, (0, 1), 1.0, (1.0,), 0, 0, 1_000)
TRACE = StepTrace("single", False, 5, ("w",), 1, (REPLICA,), (1.0,), (1.0,), 0.0, (), 0.010)


@pytest.mark.parametrize("device", ["CPU", "A card with CPU in its name"])
def test_memory_is_said_to_be_counted_where_no_device_tells_it(device: str) -> None:
    told = replace(TRACE, replicas=(replace(REPLICA, device=device),))
    counted = replace(told, is_memory_counted=True)
    with speaking(language("en")):
        assert COUNTED in _memory_texts(counted)
        assert COUNTED not in _memory_texts(told)
        assert COUNTED not in _memory_texts(replace(counted, emulated=True))
