"""What the process of a study says when it cannot measure."""

from multiprocessing import Pipe

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import DpdashError
from dpdash.core.scaling.study import Study
from dpdash.core.scaling.variants import Variant
from dpdash.scaling import worker
from dpdash.scaling.messages import Ended, Measured, Order
from dpdash.training.variants.steady import Steady
from tests.unit.sweeps.conftest import plan_of

ORDER = Order(Study("study", "ann", 5.0, plan_of(repeats=1), 2, 0), None)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (DpdashError("The memory is full."), "The memory is full."),
        (DpdashError("It has {count} GPUs.", count=2), "It has 2 GPUs."),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    ],
)
def test_what_goes_wrong_is_said_at_the_end(
    error: Exception, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(_self: object, config: RunConfig, variant: Variant, seconds: float) -> Steady:
        if config.replicas == 2:
            raise error
        return Steady(0.01, 10)

    monkeypatch.setattr(worker.OfEachEngine, "measure", measure)
    there, here = Pipe(duplex=False)
    assert worker.measured(ORDER, here) == Ended(problem)
    here.close()
    told = [there.recv() for _number in range(6)]
    assert all(isinstance(each, Measured) for each in told), "what was measured before is told"
    with pytest.raises(EOFError):
        there.recv()
