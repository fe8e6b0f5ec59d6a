import pytest
import torch
from torch import optim

from dpdash.core.config import RunConfig
from dpdash.core.events import LearningRateChanged
from dpdash.training.learning_rates import LearningRates

REPLAYS = (LearningRateChanged(5, 0.5), LearningRateChanged(5, 0.25), LearningRateChanged(9, 0.125))


def rates() -> tuple[LearningRates, optim.Optimizer]:
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    found = LearningRates(optimizer, RunConfig(learning_rate=0.1))
    found.restore(0.2, REPLAYS, is_moved=True)
    return found, optimizer


def used(optimizer: optim.Optimizer) -> list[float]:
    return [group["lr"] for group in optimizer.param_groups]


def warming(warmup_epochs: int = 4) -> tuple[LearningRates, optim.Optimizer]:
    config = RunConfig(learning_rate=0.5, warmup_epochs=warmup_epochs)
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=config.learning_rate)
    return LearningRates(optimizer, config), optimizer


def test_a_warm_up_has_the_numbers_of_torchs_linear_lr() -> None:
    found, optimizer = warming()
    reference = optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    scheduler = optim.lr_scheduler.LinearLR(reference, start_factor=0.1, total_iters=4)
    expected = []
    for epoch in range(1, 8):
        found.enter(epoch)
        assert used(optimizer) == pytest.approx(used(reference), rel=1e-12)
        assert found.steady_until(epoch, last=7) == (epoch if epoch <= 4 else 7)
        expected += used(optimizer)
        reference.step()
        scheduler.step()
    assert expected[4:] == [0.5] * 3, "the full one, to the last digit"
    assert found.of(1, 7).tolist() == expected
    assert found.of(3, 2).tolist() == expected[2:4]


def test_without_a_warm_up_the_learning_rate_is_left_alone() -> None:
    found, optimizer = warming(warmup_epochs=0)
    found.restore(0.2, (), is_moved=False)
    found.enter(1)
    assert used(optimizer) == [0.2]
    assert found.of(1, 2).tolist() == [0.2, 0.2]


def test_whoever_moves_the_learning_rate_ends_the_warm_up() -> None:
    found, optimizer = warming()
    found.enter(2)
    rate = found.current
    assert found.ask(rate, num_epochs=1), "even if it is the one that is used now"
    found.enter(3)
    assert used(optimizer) == [rate]
    assert found.of(2, 2).tolist() == [rate, rate]
    other, _optimizer = warming()
    other.restore(rate, (), is_moved=found.is_moved)
    other.enter(3)
    assert other.current == rate
    again, _optimizer = warming()
    again.replay(LearningRateChanged(2, rate))
    again.enter(3)
    assert again.current == rate


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
