import torch
from torch import optim

from dpdash.core.events import LearningRateChanged
from dpdash.training.learning_rates import LearningRates

REPLAYS = (LearningRateChanged(5, 0.5), LearningRateChanged(5, 0.25), LearningRateChanged(9, 0.125))


def rates() -> tuple[LearningRates, optim.Optimizer]:
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    found = LearningRates(optimizer, 0.1)
    found.restore(0.2, REPLAYS)
    return found, optimizer


def used(optimizer: optim.Optimizer) -> list[float]:
    return [group["lr"] for group in optimizer.param_groups]


def test_what_is_restored_is_used() -> None:
    found, optimizer = rates()
    assert (found.current, used(optimizer)) == (0.2, [0.2])


def test_learning_rates_are_taken_again_at_their_epochs() -> None:
    found, optimizer = rates()
    assert found.replays_at(4) == ()
    assert found.replays_at(5) == REPLAYS[:2]
    for change in found.replays_at(5):
        found.replay(change)
    assert used(optimizer) == [0.25]
    assert found.replays_after(4) == REPLAYS, "until their epoch is trained, a checkpoint must know of them"
    assert found.replays_after(5) == REPLAYS[2:]


def test_a_stretch_ends_before_the_next_one() -> None:
    found, _optimizer = rates()
    assert found.steady_until(1, last=100) == 4
    assert found.steady_until(1, last=3) == 3
    assert found.steady_until(5, last=100) == 8
    assert found.steady_until(9, last=100) == 100


def test_whoever_asks_for_another_one_ends_that() -> None:
    found, optimizer = rates()
    assert found.ask(0.2, num_epochs=3), "even if it is the one that is used now"
    assert found.replays_after(0) == ()
    assert found.steady_until(1, last=100) == 100
    assert not found.ask(0.2, num_epochs=3)
    assert found.ask(0.3, num_epochs=3)
    assert used(optimizer) == [0.3]


def test_what_was_taken_again_already_changes_nothing() -> None:
    found, _optimizer = rates()
    assert not found.ask(0.2, num_epochs=9)
