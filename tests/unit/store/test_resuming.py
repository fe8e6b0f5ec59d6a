"""Which events a run that is taken up from an epoch has still to bring about."""

import pytest

from dpdash.core.events import LearningRateChanged, RunEvent, RunPaused, RunResumed, StepTraced
from dpdash.core.steps import StepTrace
from dpdash.store.resuming import is_behind

TRACE = StepTrace("single", False, 1, (), 0, (), (), (), 0.0, (), 1.0)


@pytest.mark.parametrize(
    ("event", "is_to_come"),
    [
        pytest.param(StepTraced(6, TRACE), False, id="the step right after: its numbers come again"),
        pytest.param(StepTraced(7, TRACE), True, id="a later step"),
        pytest.param(LearningRateChanged(5, 0.1), False, id="the checkpoint has this rate"),
        pytest.param(LearningRateChanged(6, 0.1), True, id="a later rate"),
        pytest.param(RunPaused(4), False, id="an earlier pause"),
        pytest.param(RunPaused(5), True, id="a pause at the checkpoint"),
        pytest.param(RunResumed(5), True, id="its end"),
    ],
)
def test_a_run_taken_up_from_epoch_5_has_still_to_do_what_came_after(event: RunEvent, is_to_come: bool) -> None:
    assert is_behind(event, 5) is is_to_come
