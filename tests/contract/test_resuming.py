"""What every engine keeps to when a run goes on where it was stopped. A new engine is tested here unasked."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from dpdash.core.config import EngineName, OptimizerName, RunConfig
from dpdash.core.events import (
    COLUMNS,
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunEvent,
    RunFinished,
    RunPaused,
    RunStopped,
)
from dpdash.core.history import History
from dpdash.training.catalog import engine
from dpdash.training.checkpoint import going_on
from dpdash.training.control import RunControl
from dpdash.training.hardware import num_gpus
from tests.contract.training import Watcher, config_for
from tests.contract.training import run as run_on

pytestmark = pytest.mark.timeout(300)  # with ddp, three times so many processes as ranks import torch, in turns

MOVED_AFTER, STOPPED_AFTER = 5, 12
NEW_RATE = 0.02
MEASURED = tuple(name for name in COLUMNS if name != "seconds")


@dataclass
class Steps:
    """Steers a run to a place, epoch by epoch: its learning rate is moved on the way."""

    stops: bool
    control: RunControl
    moves: bool = True

    def react(self, event: RunEvent) -> None:
        match event:
            case EpochBlock(first_epoch=1):
                self.control.pause()
            case RunPaused(epoch=epoch) if epoch == MOVED_AFTER and self.moves:
                self.control.set_learning_rate(NEW_RATE)
                self.control.step_once()
            case RunPaused(epoch=epoch) if epoch == STOPPED_AFTER:
                self.control.stop() if self.stops else self.control.resume()
            case RunPaused():
                self.control.step_once()


def run(config: RunConfig, start: Checkpoint | None = None, steps: Steps | None = None) -> Watcher:
    control = steps.control if steps else RunControl()
    return run_on(engine(config.engine), config, control, steps.react if steps else None, start)


def stopped_run(config: RunConfig) -> Watcher:
    watcher = run(config, steps=Steps(stops=True, control=RunControl()))
    assert isinstance(watcher.terminal, RunStopped)
    assert watcher.terminal.num_epochs == STOPPED_AFTER
    return watcher


def checkpoint_of(watcher: Watcher) -> Checkpoint:
    """The newest of a run."""
    return [event for event in watcher.events if isinstance(event, Checkpoint)][-1]


def assert_same(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> None:
    if num_gpus():
        # A GPU adds up in whatever order it likes.
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"global_batch_size": 64, "optimizer": OptimizerName.SGD_MOMENTUM, "learning_rate": 0.001},
        {"hidden_depth": 1, "hidden_width": 16, "optimizer": OptimizerName.RMSPROP},
        {"hidden_depth": 2, "hidden_width": 8, "global_batch_size": 64, "optimizer": OptimizerName.ADAMW},
        {"warmup_epochs": 25, "optimizer": OptimizerName.SGD},
    ],
    ids=["full batch", "batches", "mlp", "mlp in batches", "warm-up"],
)
def test_a_run_that_was_stopped_goes_on_as_if_it_never_had(name: EngineName, settings: dict[str, Any]) -> None:
    config = config_for(name, **settings)
    whole = run(config, steps=Steps(stops=False, control=RunControl()))
    before = stopped_run(config)
    checkpoint = checkpoint_of(before)
    assert (checkpoint.epoch, checkpoint.seconds) == (STOPPED_AFTER, before.terminal.seconds)
    after = run(config, checkpoint)
    assert after.blocks[0].first_epoch == STOPPED_AFTER + 1
    for column in MEASURED:
        assert_same(np.concatenate([before.column(column), after.column(column)]), whole.column(column))
    ending, expected = after.terminal, whole.terminal
    assert isinstance(ending, RunFinished) and isinstance(expected, RunFinished)
    assert ending.num_epochs == expected.num_epochs == config.epochs
    assert_same(np.array([ending.slope, ending.intercept]), np.array([expected.slope, expected.intercept]))
    assert after.column("seconds")[0] > checkpoint.seconds, "its time goes on too"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hidden_depth": 1, "hidden_width": 8, "global_batch_size": 64, "optimizer": OptimizerName.SGD_MOMENTUM},
    ],
    ids=["full batch", "mlp in batches"],
)
def test_a_run_that_has_finished_goes_on_as_if_it_was_to_be_longer(
    name: EngineName, settings: dict[str, Any]
) -> None:
    config = config_for(name, epochs=15, learning_rate=0.001, **settings)
    longer = config.model_copy(update={"epochs": 30})
    before, whole = run(config), run(longer)
    assert isinstance(before.terminal, RunFinished)
    checkpoint = checkpoint_of(before)
    assert (checkpoint.epoch, checkpoint.seconds) == (15, before.terminal.seconds)
    after = run(longer, checkpoint)
    for column in MEASURED:
        assert_same(np.concatenate([before.column(column), after.column(column)]), whole.column(column))
    ending, expected = after.terminal, whole.terminal
    assert isinstance(ending, RunFinished) and isinstance(expected, RunFinished)
    assert ending.num_epochs == 30
    assert_same(np.array([ending.slope, ending.intercept]), np.array([expected.slope, expected.intercept]))


def test_its_history_goes_on_with_what_it_says(name: EngineName) -> None:
    config = config_for(name)
    before = stopped_run(config)
    history = History()
    for event in before.events:
        if not isinstance(event, RunStopped):
            history.fold(event)
    for event in run(config, checkpoint_of(before)).events:
        history.fold(event)
    shown = history.snapshot()
    assert shown.num_epochs == config.epochs
    assert shown.learning_rate_changes == (LearningRateChanged(MOVED_AFTER + 1, NEW_RATE),)


def test_learning_rates_behind_the_checkpoint_are_taken_again_at_their_epochs(name: EngineName) -> None:
    config = config_for(name, global_batch_size=100)
    whole = run(config, steps=Steps(stops=False, control=RunControl()))
    told = (LearningRateChanged(MOVED_AFTER + 1, NEW_RATE),)
    again = run(config, going_on(None, config.learning_rate, told))
    assert [event for event in again.events if isinstance(event, LearningRateChanged)] == list(told)
    for column in MEASURED:
        assert_same(again.column(column), whole.column(column))


def test_several_learning_rates_are_taken_again_in_their_order(name: EngineName) -> None:
    config = config_for(name)
    checkpoint = checkpoint_of(stopped_run(config))
    told = (
        LearningRateChanged(STOPPED_AFTER + 1, 0.5),
        LearningRateChanged(STOPPED_AFTER + 1, 0.25),
        LearningRateChanged(STOPPED_AFTER + 3, 0.125),
        LearningRateChanged(config.epochs + 1, 0.9),
    )
    after = run(config, going_on(checkpoint, config.learning_rate, told))
    assert [event for event in after.events if isinstance(event, LearningRateChanged)] == list(told[:3])
    rest = config.epochs - STOPPED_AFTER - 2
    assert after.column("learning_rate").tolist() == [0.25, 0.25, *[0.125] * rest]


def test_whoever_moves_the_learning_rate_meanwhile_ends_that(name: EngineName) -> None:
    config = config_for(name)
    checkpoint = checkpoint_of(stopped_run(config))
    told = (LearningRateChanged(STOPPED_AFTER + 5, 0.5),)
    control = RunControl()
    control.set_learning_rate(0.03)
    start = going_on(checkpoint, config.learning_rate, told)
    after = run_on(engine(name), config, control, start=start)
    assert [event for event in after.events if isinstance(event, LearningRateChanged)] == [
        LearningRateChanged(STOPPED_AFTER + 1, 0.03)
    ]
    assert set(after.column("learning_rate")) == {0.03}


def test_a_checkpoint_knows_what_is_still_to_be_taken_again(name: EngineName) -> None:
    config = config_for(name)
    told = tuple(LearningRateChanged(epoch, 1 / epoch) for epoch in (3, STOPPED_AFTER + 1, STOPPED_AFTER + 4))
    start = going_on(None, config.learning_rate, told)
    before = run(config, start, Steps(stops=True, control=RunControl(), moves=False))
    changes = [event for event in before.events if isinstance(event, LearningRateChanged)]
    assert changes == list(told[:2]), "the second one just before it was stopped"
    # Killed before, and after, that was saved.
    for saved in ((), told[1:2]):
        after = run(config, going_on(checkpoint_of(before), config.learning_rate, saved))
        assert [event for event in after.events if isinstance(event, LearningRateChanged)] == list(told[1:])


def test_a_run_that_is_stopped_before_it_goes_on_has_trained_what_it_had(name: EngineName) -> None:
    config = config_for(name)
    checkpoint = checkpoint_of(stopped_run(config))
    control = RunControl()
    control.stop()
    ending = run_on(engine(name), config, control, start=checkpoint).terminal
    assert isinstance(ending, RunStopped)
    assert (ending.num_epochs, ending.seconds) == (checkpoint.epoch, checkpoint.seconds)


def test_on_one_device_the_number_of_threads_is_restored() -> None:
    """Sums over many samples are rounded by the number of threads: more of them than here would show."""
    config = RunConfig(samples=200_000, epochs=8, global_batch_size=100_000)
    usual = torch.get_num_threads()
    stop_after = 3

    def stopped(control: RunControl) -> Watcher:
        def react(event: RunEvent) -> None:
            match event:
                case EpochBlock(first_epoch=1):
                    control.pause()
                case RunPaused(epoch=epoch):
                    control.step_once() if epoch < stop_after else control.stop()

        return run_on(engine(EngineName.SINGLE), config, control, react)

    torch.set_num_threads(usual + 2)
    try:
        whole = run_on(engine(EngineName.SINGLE), config)
        before = stopped(RunControl())
    finally:
        torch.set_num_threads(usual)
    after = run_on(engine(EngineName.SINGLE), config, start=checkpoint_of(before))
    for column in MEASURED:
        assert_same(np.concatenate([before.column(column), after.column(column)]), whole.column(column))


def test_a_checkpoint_of_another_model_fails_the_run(name: EngineName) -> None:
    checkpoint = checkpoint_of(stopped_run(config_for(name, hidden_depth=1, hidden_width=4)))
    ending = run(config_for(name, hidden_depth=1, hidden_width=5), replace(checkpoint)).terminal
    assert ending.num_epochs == STOPPED_AFTER
    assert "The checkpoint of this run cannot be used" in getattr(ending, "message", "")
