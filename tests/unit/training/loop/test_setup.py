import copy
from collections.abc import Callable, Iterator

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


def _clock(step_seconds: float) -> Callable[[], float]:
    """A clock on which every step takes the same time: each step reads it twice."""

    def readings() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += step_seconds
            yield now

    return readings().__next__


@pytest.mark.parametrize(("step_seconds", "num_steps"), [(0.001, 50), (0.02, 6), (0.2, 2), (0.4, 1)])
def test_measuring_is_bounded(monkeypatch: pytest.MonkeyPatch, step_seconds: float, num_steps: int) -> None:
    config = RunConfig(samples=4)
    data = draw(config)
    num_updates = 0
    update = GradientStep.update

    def counted(self: GradientStep, outputs: torch.Tensor, y: torch.Tensor) -> None:
        nonlocal num_updates
        num_updates += 1
        update(self, outputs, y)

    monkeypatch.setattr(GradientStep, "update", counted)
    monkeypatch.setattr("time.perf_counter", _clock(step_seconds))
    measured = setup.measured_step_seconds(config, data, build_model(config, data.generator), CPU)
    assert measured == pytest.approx(step_seconds)
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
