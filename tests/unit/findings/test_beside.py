"""What a run and a study say of the same replicas, beside one core and beside the whole CPU."""

from dpdash.core.scaling.waterfall import Device
from dpdash.core.turns import StepTurn, StepTurns
from dpdash.findings.beside import of_turns


def test_a_run_is_compared_with_one_core_and_with_the_whole_cpu() -> None:
    found = of_turns(StepTurns((StepTurn(2.0, 3.0, 1.0), StepTurn(2.1, 3.0, 1.0), StepTurn(2.0, 3.1, 1.1))), 2)
    assert [(one.device, one.speed_up.median) for one in found.found] == [
        (Device.ONE_CORE, 1.5),
        (Device.WHOLE_CPU, 0.5),
    ]
    assert all(0 < one.speed_up.standard_error < 0.1 for one in found.found)
    assert not found.is_noisy and found.num_turns == 3


def test_a_device_that_was_not_measured_in_every_turn_is_left_out() -> None:
    found = of_turns(StepTurns((StepTurn(2.0, 3.0, 1.0), StepTurn(2.0, 3.0)), is_on_gpus=True), 2)
    assert [one.device for one in found.found] == [Device.ONE_GPU]


def test_what_is_faster_than_its_number_allows_or_was_measured_once_says_nothing() -> None:
    assert of_turns(StepTurns((StepTurn(1.0, 3.0),) * 3), 2).is_noisy
    assert not of_turns(StepTurns((StepTurn(1.0, 3.0),) * 3), 3).is_noisy
    assert of_turns(StepTurns((StepTurn(1.0, 1.0),)), 2).is_noisy
