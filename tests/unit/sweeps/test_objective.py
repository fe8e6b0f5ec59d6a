"""What becomes of a trial, from runs whose losses are known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dpdash.core.config import RunConfig
from dpdash.core.events import (
    EpochBlock,
    LearningRateChanged,
    RunDiverged,
    RunEvent,
    RunFailed,
    RunFinished,
    RunStopped,
    StopReason,
)
from dpdash.core.history import History, HistorySnapshot
from dpdash.core.sweep import Objective, Trial, TrialStatus
from dpdash.problem.data import draw
from dpdash.sweeps.objective import (
    first_reached,
    loss_above_optimum,
    report_epoch,
    settled,
    standard_error,
)
from dpdash.training.control import RunControl
from dpdash.training.engines.single import Single
from tests.fakes import block_of

CONFIG = RunConfig(samples=200, epochs=40, noise=0.5)
TRIAL = Trial(0, (0.1,), "run")


def history_of(losses: list[float], *events: RunEvent) -> HistorySnapshot:
    history = History()
    if losses:
        history.fold(replace(block_of(1, len(losses)), loss=np.array(losses, dtype=np.float32)))
    for event in events or (RunFinished(len(losses), 3.0, 0.0, 1.0),):
        history.fold(event)
    return history.snapshot()


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (RunDiverged(2, 3, 1.0), TrialStatus.DIVERGED),
        (RunStopped(2, 3.0, 0.0, 1.0, StopReason.SWEEP), TrialStatus.PRUNED),
        (RunStopped(2, 3.0, 0.0, 1.0, StopReason.ASKED), TrialStatus.STOPPED),
        (RunStopped(2, 3.0, 0.0, 1.0, StopReason.TEACHER), TrialStatus.STOPPED),
        (RunFailed(2, "broken", ""), TrialStatus.FAILED),
    ],
)
def test_what_did_not_finish_has_no_value(event: RunEvent, status: TrialStatus) -> None:
    trial = settled(TRIAL, CONFIG, history_of([2.0, 1.0], event), Objective.FINAL_LOSS, None)
    assert (trial.status, trial.value, trial.num_epochs) == (status, None, 2)


def test_a_learning_rate_that_was_moved_says_nothing() -> None:
    history = history_of([2.0, 1.0], LearningRateChanged(2, 0.5), RunFinished(2, 3.0, 0.0, 1.0))
    assert settled(TRIAL, CONFIG, history, Objective.FINAL_LOSS, None).status is TrialStatus.STOPPED


def test_the_final_loss_is_that_of_the_last_line() -> None:
    data = draw(CONFIG)
    x, y = data.x.double().numpy().ravel(), data.y.double().numpy().ravel()
    slope, intercept = np.polyfit(x, y, 1)
    history = history_of([9.0], RunFinished(1, slope + 0.1, intercept, 1.0))
    trial = settled(TRIAL, CONFIG, history, Objective.FINAL_LOSS, None)
    wanted = ((y - (slope + 0.1) * x - intercept) ** 2).mean() - ((y - slope * x - intercept) ** 2).mean()
    assert trial.value == pytest.approx(wanted, rel=1e-6)
    assert trial.slope == pytest.approx(slope + 0.1)
    assert trial.standard_error == pytest.approx(0.5 / math.sqrt(((x - x.mean()) ** 2).sum()), rel=1e-6)
    at_best = history_of([9.0], RunFinished(1, slope, intercept, 1.0))
    assert settled(TRIAL, CONFIG, at_best, Objective.FINAL_LOSS, None).value == pytest.approx(0, abs=1e-12)


def test_the_loss_of_a_network_is_that_of_its_last_row() -> None:
    config = CONFIG.model_copy(update={"hidden_depth": 1})
    trial = settled(TRIAL, config, history_of([2.0, 1.5]), Objective.FINAL_LOSS, None)
    assert trial.value == pytest.approx(loss_above_optimum(config, 1.5))


def test_epochs_and_seconds_until_the_noise_floor() -> None:
    history = history_of([3.0, 1.0, 0.26, 0.27, 0.25])
    epochs = settled(TRIAL, CONFIG, history, Objective.EPOCHS_TO_REACH, None)
    assert (epochs.status, epochs.value) == (TrialStatus.COMPLETE, 3.0)
    seconds = settled(TRIAL, CONFIG, history, Objective.SECONDS_TO_REACH, None)
    assert seconds.value == pytest.approx(3 / 7)
    never = settled(TRIAL, CONFIG, history_of([3.0, 1.0]), Objective.EPOCHS_TO_REACH, None)
    assert (never.status, never.value) == (TrialStatus.NOT_REACHED, None)


def test_a_history_that_is_thinned_out_asks_for_the_rows() -> None:
    num_epochs = 5000
    losses = 10.0 / np.arange(1, num_epochs + 1)
    columns = dict.fromkeys(("slope", "intercept", "learning_rate"), losses)
    rows = EpochBlock(1, loss=losses, seconds=np.arange(1, num_epochs + 1) / 2, **columns)
    history = History()
    history.fold(rows)
    exact = first_reached(history.snapshot(), 0.0049, rows)
    assert exact is not None
    assert (exact.epoch, exact.seconds) == (2041, 1020.5)
    near = first_reached(history.snapshot(), 0.0049, None)
    assert near is not None and abs(near.epoch - 2041) <= history.snapshot().width
    assert near.seconds == near.epoch / 2, "while the loss falls, the lowest of a bucket is its last epoch"
    assert first_reached(history.snapshot(), 0.0001, rows) is None


def test_reports_are_spread_over_the_epochs() -> None:
    assert [report_epoch(CONFIG, report) for report in (1, 5, 10)] == [4, 20, 40]
    assert report_epoch(RunConfig(epochs=3), 1) == 1


def test_data_without_a_spread_has_no_standard_error() -> None:
    assert standard_error(RunConfig(samples=1)) == math.inf
    assert loss_above_optimum(CONFIG, math.nan) == math.inf
    trial = settled(TRIAL, RunConfig(samples=1), history_of([1.0]), Objective.FINAL_LOSS, None)
    assert trial.standard_error is None


def test_a_real_run_comes_close_to_the_optimum() -> None:
    config = RunConfig(samples=200, epochs=200, learning_rate=0.05, optimizer="sgd")
    history = History()
    Single().run(config, history.fold, RunControl())
    trial = settled(TRIAL, config, history.snapshot(), Objective.FINAL_LOSS, None)
    assert trial.value is not None and 0 <= trial.value < 1e-6
