"""What a step takes on replicas and beside them: in turns, bounded, on copies."""

import copy
from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from dpdash.core.config import RunConfig
from dpdash.core.turns import StepTurn, StepTurns
from dpdash.problem.data import draw
from dpdash.problem.model import build_model
from dpdash.training.engines.placement import OneDevice, Replicas
from dpdash.training.loop import turns
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.threads import as_many_threads

CPU = torch.device("cpu")
NAMES = ("first", "second")
NUM_CORES = 3


class Clock:
    """Stands still, but for steps: those on replicas, of one thread and of several take times of their own."""

    def __init__(self, *seconds: float) -> None:
        self.now = 0.0
        self.together, self.one_core, self.whole_cpu = seconds
        self.done: list[str] = []

    def __call__(self) -> float:
        return self.now

    def spend(self, is_distributed: bool) -> None:
        way = "together" if is_distributed else "one_core" if torch.get_num_threads() == 1 else "whole_cpu"
        self.done.append(way)
        self.now += getattr(self, way)


class Spread(nn.Module):
    """Marks a model that is spread over replicas."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.model(x)
        return outputs


Measure = Callable[[Clock], StepTurns]


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Measure:
    config = RunConfig(samples=4)
    data = draw(config)
    model = build_model(config, data.generator)
    replicas = Replicas(CPU, NAMES, lambda model: nullcontext(Spread(model)))

    def found(clock: Clock) -> StepTurns:
        update = GradientStep.update

        def timed(self: GradientStep, outputs: torch.Tensor, y: torch.Tensor) -> None:
            clock.spend(isinstance(self._model, Spread))
            update(self, outputs, y)

        monkeypatch.setattr(GradientStep, "update", timed)
        monkeypatch.setattr("time.perf_counter", clock)
        monkeypatch.setattr(turns, "num_cores", lambda: NUM_CORES)
        with as_many_threads(1):
            measured = turns.step_turns(config, data, model, replicas)
        assert measured is not None
        return measured

    return found


@pytest.mark.parametrize(
    ("seconds", "num_turns", "at_most"),
    [
        ((0.0008, 0.0004, 0.0003), 15, 0.12),
        ((0.006, 0.004, 0.002), 5, 0.15),
        ((0.02, 0.02, 0.02), 4, 0.32),
        ((0.15, 0.1, 0.05), 1, 0.61),
        ((0.5, 0.4, 0.3), 1, 1.21),
    ],
    ids=["quick", "middling", "slow", "slower", "too slow for more than one each"],
)
def test_measuring_is_bounded(
    measure: Measure, seconds: tuple[float, float, float], num_turns: int, at_most: float
) -> None:
    clock = Clock(*seconds)
    measured = measure(clock)
    assert len(measured.turns) == pytest.approx(num_turns, abs=1)
    assert clock.now <= at_most
    for turn in measured.turns:
        assert (turn.replicas, turn.one_device, turn.whole_cpu) == pytest.approx(seconds)


def test_turns_follow_each_other_and_the_first_rounds_do_not_count(measure: Measure) -> None:
    clock = Clock(0.01, 0.01, 0.01)
    measured = measure(clock)
    assert clock.done == ["one_core", "whole_cpu", "together"] * (len(measured.turns) + turns.WARM_ROUNDS)


def test_of_quick_steps_several_are_timed_behind_one_that_is_not(measure: Measure) -> None:
    clock = Clock(0.0005, 0.0015, 0.0015)
    measured = measure(clock)
    assert clock.done.count("together") == turns.WARM_ROUNDS + (1 + 3) * len(measured.turns)
    assert clock.done.count("one_core") == turns.WARM_ROUNDS + (1 + 2) * len(measured.turns)


def test_nothing_is_measured_without_replicas() -> None:
    config = RunConfig(samples=4)
    data = draw(config)
    alone = OneDevice(CPU, NAMES[:1])
    assert turns.step_turns(config, data, build_model(config, data.generator), alone) is None


def test_on_a_machine_with_one_core_there_is_no_other_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "num_cores", lambda: 1)
    config = RunConfig(samples=4)
    data = draw(config)
    measured = turns.step_turns(config, data, build_model(config, data.generator), Replicas(CPU, NAMES))
    assert measured is not None and measured.one_device and not measured.whole_cpu


def test_measuring_changes_neither_model_nor_generator_nor_threads() -> None:
    config = RunConfig(samples=100, global_batch_size=10)
    data = draw(config)
    model = build_model(config, data.generator)
    before, state, threads = copy.deepcopy(model), data.generator.get_state(), torch.get_num_threads()
    turns.step_turns(config, data, model, Replicas(CPU, NAMES))
    assert torch.equal(data.generator.get_state(), state)
    assert torch.get_num_threads() == threads
    for now, then in zip(model.parameters(), before.parameters(), strict=True):
        assert torch.equal(now, then) and now.grad is None


def test_a_device_that_was_not_measured_in_every_turn_is_left_out() -> None:
    half = StepTurns((StepTurn(1.0, 2.0, 3.0), StepTurn(1.0, 2.0)))
    assert half.replicas == (1.0, 1.0) and half.one_device == (2.0, 2.0) and half.whole_cpu == ()
