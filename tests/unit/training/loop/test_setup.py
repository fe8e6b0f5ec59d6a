import copy
from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest
import torch
from torch import nn

from dpdash.core.config import RunConfig
from dpdash.problem.data import draw
from dpdash.problem.model import build_model
from dpdash.training.engines.placement import OneDevice
from dpdash.training.loop import setup
from dpdash.training.loop.epoch import GradientStep

CPU = OneDevice(torch.device("cpu"), ("CPU",))


def _clock(steps_seconds: tuple[float, ...]) -> Callable[[], float]:
    """A clock on which steps take these times, and the last of them from then on: each step reads it twice."""

    def readings() -> Iterator[float]:
        now = 0.0
        for seconds in chain(steps_seconds, repeat(steps_seconds[-1])):
            yield now
            now += seconds
            yield now

    return readings().__next__


@pytest.mark.parametrize(
    ("steps_seconds", "num_steps", "expected"),
    [
        ((0.01, 0.001), 41, 0.001),
        ((0.2, 0.02), 6, 0.02),
        ((0.1, 0.02, 0.001, 0.002, 0.09, 0.004), 6, 0.004),
        ((0.25, 0.1), 2, 0.1),
        ((0.4, 0.1), 1, 0.4),
    ],
    ids=["fast", "slow", "uneven", "two", "one"],
)
def test_measuring_is_bounded_and_takes_the_middle_of_all_but_the_first(
    monkeypatch: pytest.MonkeyPatch, steps_seconds: tuple[float, ...], num_steps: int, expected: float
) -> None:
    config = RunConfig(samples=4)
    data = draw(config)
    num_updates = 0
    update = GradientStep.update

    def counted(self: GradientStep, outputs: torch.Tensor, y: torch.Tensor) -> None:
        nonlocal num_updates
        num_updates += 1
        update(self, outputs, y)

    monkeypatch.setattr(GradientStep, "update", counted)
    monkeypatch.setattr("time.perf_counter", _clock(steps_seconds))
    measured = setup.measured_step_seconds(config, data, build_model(config, data.generator), CPU)
    assert measured == pytest.approx(expected)
    assert num_updates == pytest.approx(num_steps, abs=1)


def test_measuring_changes_neither_model_nor_generator() -> None:
    config = RunConfig(samples=100, global_batch_size=10)
    data = draw(config)
    model = build_model(config, data.generator)
    before, state = copy.deepcopy(model), data.generator.get_state()
    setup.measured_step_seconds(config, data, model, CPU)
    assert torch.equal(data.generator.get_state(), state)
    for now, then in zip(model.parameters(), before.parameters(), strict=True):
        assert torch.equal(now, then) and now.grad is None
    assert nn.utils.parameters_to_vector(model.parameters()).requires_grad
