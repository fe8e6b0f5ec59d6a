"""What a checkpoint holds, and what is done with one that holds something else."""

import logging
import math
import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save

from dpdash.core.config import OptimizerName, RunConfig
from dpdash.core.events import Checkpoint, LearningRateChanged
from dpdash.problem.data import draw
from dpdash.problem.model import build_model, build_optimizer
from dpdash.training import checkpoint as checkpoint_module
from dpdash.training.checkpoint import (
    DAMAGED,
    MOST_THREADS,
    CheckpointError,
    Keeper,
    State,
    going_on,
    still_to_come,
)
from dpdash.training.learning_rates import LearningRates
from dpdash.training.threads import AS_HERE, as_many_threads

CONFIG = RunConfig(samples=20, hidden_depth=1, hidden_width=3)
BEGUN = State(7, 0.5, 0.01, 1, (LearningRateChanged(9, 0.1), LearningRateChanged(12, 1e-6)), {})


def keeper_of(config: RunConfig, num_steps: int = 2) -> tuple[Keeper, torch.nn.Module]:
    """The keeper of a model that has taken a few steps."""
    data = draw(config)
    model = build_model(config, data.generator)
    optimizer = build_optimizer(config, model, torch.device("cpu"))
    for _step in range(num_steps):
        optimizer.zero_grad()
        torch.autograd.backward(torch.nn.functional.mse_loss(model(data.x), data.y))
        optimizer.step()
    return Keeper(model, optimizer, data.generator, LearningRates(optimizer, config)), model


def taken(keeper: Keeper) -> Checkpoint:
    checkpoint = keeper.take(epoch=2, seconds=1.25)
    assert checkpoint is not None
    return checkpoint


def tampered(**changes: torch.Tensor) -> Checkpoint:
    """A checkpoint of which somebody has changed tensors; a dot in a name is written as two underlines."""
    state = State.of(taken(keeper_of(CONFIG)[0]))
    tensors = {**state.tensors, **{name.replace("__", "."): value for name, value in changes.items()}}
    return replace(state, tensors=tensors).packed()


def test_numbers_come_back_exactly() -> None:
    assert State.of(BEGUN.packed()) == BEGUN
    odd = replace(BEGUN, seconds=math.pi, learning_rate=0.1 + 0.2, num_threads=MOST_THREADS, replays=())
    assert State.of(odd.packed()) == odd
    moved = replace(BEGUN, is_moved=True)
    assert State.of(moved.packed()) == moved


@pytest.mark.parametrize("optimizer", OptimizerName)
def test_model_optimizer_and_generator_come_back_exactly(optimizer: OptimizerName) -> None:
    config = CONFIG.model_copy(update={"optimizer": optimizer})
    keeper, model = keeper_of(config)
    checkpoint = taken(keeper)
    other, its_model = keeper_of(config.model_copy(update={"seed": 1}), num_steps=1)
    other.restore(State.of(checkpoint))
    for mine, its in zip(model.parameters(), its_model.parameters(), strict=True):
        assert torch.equal(mine, its)
    assert other.take(epoch=2, seconds=1.25) == checkpoint


def test_a_model_that_has_not_been_trained_has_no_state_of_its_optimizer() -> None:
    keeper, _model = keeper_of(CONFIG, num_steps=0)
    assert not any(name.startswith("optimizer.") for name in State.of(taken(keeper)).tensors)


def test_a_restored_learning_rate_is_used_and_the_later_ones_are_known() -> None:
    keeper, _model = keeper_of(CONFIG)
    keeper.restore(BEGUN)
    assert keeper.rates.current == 0.01
    assert keeper.rates.replays_after(9) == BEGUN.replays[1:]


class Evil:
    """What a pickle could hold: it would do something when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a pickle was opened",)


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"\xff" * 100,
        pickle.dumps(Evil()),
        (2**40).to_bytes(8, "little") + b"{}",
        save({"other": torch.zeros(3)}),
        save({"numbers": torch.zeros(3)}),
        save({"numbers": torch.full((4,), torch.nan, dtype=torch.float64)}),
        save({"numbers": torch.zeros(4), "replays": torch.zeros(3)}),
        BEGUN.packed().state[:-1],
    ],
    ids=["nothing", "noise", "pickle", "huge header", "no numbers", "too few", "nan", "odd changes", "cut short"],
)
def test_what_is_no_checkpoint_gets_a_sentence(state: bytes) -> None:
    with pytest.raises(CheckpointError, match="cannot be used") as raised:
        State.of(Checkpoint(7, 0.5, state))
    assert raised.value.template == DAMAGED


@pytest.mark.parametrize(
    "state",
    [
        replace(BEGUN, epoch=8),
        replace(BEGUN, seconds=math.inf),
        replace(BEGUN, learning_rate=0.0),
        replace(BEGUN, num_threads=MOST_THREADS + 1),
        replace(BEGUN, num_threads=-1),
        replace(BEGUN, replays=(LearningRateChanged(9, -0.1),)),
    ],
)
def test_numbers_that_cannot_be_are_refused(state: State) -> None:
    with pytest.raises(CheckpointError):
        State.of(replace(state.packed(), epoch=7))


@pytest.mark.parametrize(
    "checkpoint",
    [
        tampered(model__layers__0__weight=torch.zeros(4, 1)),
        tampered(optimizer__0__exp_avg=torch.zeros(1)),
        tampered(optimizer__0__exp_avg=torch.zeros(3, 1, dtype=torch.float16)),
        tampered(optimizer__0__step=torch.zeros(3, 1)),
        tampered(optimizer__99__step=torch.zeros(())),
        tampered(generator=torch.zeros(8, dtype=torch.uint8)),
    ],
    ids=["weights", "moments", "another type", "step", "no such parameter", "generator"],
)
def test_the_state_of_another_model_is_refused_before_it_is_used(checkpoint: Checkpoint) -> None:
    keeper, _model = keeper_of(CONFIG)
    with pytest.raises(CheckpointError):
        keeper.restore(State.of(checkpoint))


def test_what_is_too_large_is_left_out_and_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(checkpoint_module, "LARGEST_BYTES", 1000)
    keeper, _model = keeper_of(CONFIG)
    with caplog.at_level(logging.WARNING):
        assert keeper.take(1, 0.1) is None
        assert keeper.take(2, 0.2) is None
    assert caplog.text.count("too large for a checkpoint") == 1


A, B, C = (LearningRateChanged(epoch, rate) for epoch, rate in ((10, 0.5), (20, 0.25), (30, 0.125)))
OTHER = LearningRateChanged(15, 0.75)


@pytest.mark.parametrize(
    ("planned", "told", "expected"),
    [
        ((), (), ()),
        ((), (A, B), (A, B)),
        ((A, B), (), (A, B)),
        ((A, B, C), (A,), (A, B, C)),
        ((A, B), (A, B), (A, B)),
        ((A, B), (A, OTHER), (A, OTHER)),
        ((A, B), (OTHER,), (OTHER,)),
        ((A,), (A, B), (A, B)),
    ],
)
def test_learning_rates_are_taken_again_until_somebody_asked_for_another(
    planned: tuple[LearningRateChanged, ...],
    told: tuple[LearningRateChanged, ...],
    expected: tuple[LearningRateChanged, ...],
) -> None:
    assert still_to_come(planned, told) == expected


def test_a_run_without_a_checkpoint_goes_on_at_its_beginning_with_what_it_was_told() -> None:
    state = State.of(going_on(None, 0.02, (A, B)))
    assert state == State(0, 0.0, 0.02, AS_HERE, (A, B), {})


def test_a_checkpoint_is_kept_with_what_was_told_behind_it() -> None:
    checkpoint = replace(BEGUN, replays=(A, B)).packed()
    told = State.of(going_on(replace(checkpoint, seconds=0.0), 0.02, (A, OTHER)))
    assert told == replace(BEGUN, replays=(A, OTHER))


def test_a_checkpoint_knows_the_number_of_threads_that_it_was_trained_with() -> None:
    keeper, _model = keeper_of(CONFIG)
    for num_threads in (1, 3):
        with as_many_threads(num_threads):
            assert State.of(taken(keeper)).num_threads == num_threads
