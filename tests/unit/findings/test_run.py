"""Each verdict from a synthetic history, with its numbers and its suggestion."""

import numpy as np
import pytest

from dpdash.core.config import OptimizerName, RunConfig
from dpdash.core.events import EpochBlock, RunDiverged, RunFinished
from dpdash.core.history import History, HistorySnapshot
from dpdash.findings.run import Suggestion, Target, Verdict, VerdictKind, verdict

TARGET = Target(optimum_slope=3.001, optimum_loss=0.25, noise_floor=0.25, mean_square_x=25 / 3)


def history_of(losses: list[float], *endings: RunFinished | RunDiverged) -> HistorySnapshot:
    history = History()
    loss = np.array(losses, dtype=np.float32)
    ones = np.ones(len(loss))
    if len(loss):
        history.fold(EpochBlock(1, loss, ones, ones, ones, np.arange(1.0, len(loss) + 1)))
    for event in endings:
        history.fold(event)
    return history.snapshot()


def finished(num_epochs: int) -> RunFinished:
    return RunFinished(num_epochs, slope=2.9, intercept=0.0, seconds=1.0)


def decay(start: float, end: float, num_epochs: int, floor: float = 0.25) -> list[float]:
    """An excess over the floor that falls by the same factor each epoch, from `start` to `end`."""
    return [floor + float(excess) for excess in np.geomspace(start, end, num_epochs)]


def said(config: RunConfig, history: HistorySnapshot, target: Target = TARGET) -> Verdict:
    found = verdict(config, history, target)
    assert found is not None
    return found


def test_nothing_is_said_before_the_first_epoch() -> None:
    assert verdict(RunConfig(), history_of([]), TARGET) is None


def test_diverged_names_its_epoch_and_a_tenth_of_the_learning_rate() -> None:
    config = RunConfig(learning_rate=0.5, optimizer=OptimizerName.SGD)
    found = said(config, history_of([10.0, 1e10], RunDiverged(num_epochs=2, epoch=3, seconds=0.1)))
    assert found.kind is VerdictKind.DIVERGED
    assert found.values == {"epoch": 3}
    assert found.suggestion == Suggestion("learning_rate", 0.05)
    assert str(found).startswith("Diverged at epoch 3:")


def test_growing_compares_with_the_lowest_loss_so_far() -> None:
    config = RunConfig(learning_rate=0.2, optimizer=OptimizerName.SGD)
    found = said(config, history_of([10.0, 4.0, 8.0, 40.0]))
    assert found.kind is VerdictKind.GROWING
    assert found.values == {"loss": 40.0, "epoch": 4, "factor": 10.0, "lowest": 4.0}
    assert found.suggestion == Suggestion("learning_rate", 0.02)


def test_a_wave_near_the_floor_is_not_growth() -> None:
    history = history_of([*decay(70, 1e-4, 100), 0.26])
    assert said(RunConfig(), history).kind is not VerdictKind.GROWING


def test_without_noise_a_wave_of_what_counts_as_nothing_is_not_growth() -> None:
    target = Target(optimum_slope=3.0, optimum_loss=0.0, noise_floor=0.0, mean_square_x=25 / 3)
    found = said(RunConfig(noise=0), history_of([1.0, 1e-9, 1e-8]), target)
    assert found.kind is VerdictKind.AT_FLOOR


def test_at_the_floor_names_the_epoch_that_reached_it_and_suggests_fewer() -> None:
    losses = decay(70, 1e-6, 400)
    reached = next(epoch for epoch, loss in enumerate(losses, 1) if loss <= 1.02 * 0.25 + 1e-6 * losses[0])
    found = said(RunConfig(epochs=1000), history_of(losses))
    assert found.kind is VerdictKind.AT_FLOOR
    assert found.values["reached"] == reached
    assert found.values["optimum"] == 0.25
    assert found.suggestion == Suggestion("epochs", 500)
    assert f"since epoch {reached:.3g}" in str(found)


def test_at_the_floor_since_the_epoch_after_the_last_one_above() -> None:
    losses = [5.0, 1.0, 0.25, 0.4, 0.45, 0.4, 0.45, 0.4, 0.4, 0.25]
    found = said(RunConfig(epochs=1000), history_of(losses))
    assert found.kind is VerdictKind.AT_FLOOR
    assert (found.values["reached"], found.suggestion) == (10, Suggestion("epochs", 10))


def test_no_epoch_is_said_to_be_at_the_floor_from_which_the_loss_rose_again() -> None:
    losses = decay(70, 1e-6, 5000)
    losses[4000:4010] = [0.4] * 10
    history = history_of(losses)
    assert history.width > 1
    found = said(RunConfig(epochs=100_000), history)
    assert 4010 < found.values["reached"] <= 4010 + history.width


def test_a_run_that_was_never_above_the_floor_is_there_since_the_first_epoch() -> None:
    assert said(RunConfig(epochs=1000), history_of([0.25, 0.25])).values["reached"] == 1


def test_at_the_floor_at_the_very_end_suggests_a_higher_learning_rate() -> None:
    found = said(RunConfig(epochs=200), history_of(decay(70, 0.004, 200), finished(200)))
    assert found.kind is VerdictKind.AT_FLOOR
    assert found.suggestion == Suggestion("learning_rate", 0.02)


def test_without_noise_a_millionth_of_the_first_loss_counts_as_the_floor() -> None:
    target = Target(optimum_slope=3.0, optimum_loss=0.0, noise_floor=0.0, mean_square_x=25 / 3)
    history = history_of(decay(75, 1e-6, 300, floor=0.0))
    assert said(RunConfig(noise=0), history, target).kind is VerdictKind.AT_FLOOR


def test_noise_wins_when_even_the_best_line_is_far_off() -> None:
    target = Target(optimum_slope=2.5, optimum_loss=20.0, noise_floor=25.0, mean_square_x=8.0)
    found = said(RunConfig(samples=10, noise=5), history_of(decay(60, 1e-3, 300, floor=20.0)), target)
    assert found.kind is VerdictKind.NOISE_WINS
    assert found.values == {"samples": 10, "slope": 2.5, "error": 0.5}
    assert found.suggestion == Suggestion("samples", 100)


def test_noise_wins_with_the_most_samples_suggests_less_noise() -> None:
    target = Target(optimum_slope=2.5, optimum_loss=20.0, noise_floor=25.0, mean_square_x=8.0)
    config = RunConfig(samples=10_000_000, noise=50)
    assert said(config, history_of(decay(60, 1e-3, 300, floor=20.0)), target).suggestion == Suggestion("noise", 5)


def test_still_falling_says_how_far_and_how_long() -> None:
    found = said(RunConfig(epochs=500), history_of(decay(75, 0.25, 500), finished(500)))
    assert found.kind is VerdictKind.STILL_FALLING
    assert found.values["ratio"] == pytest.approx(2.0)
    # The excess falls by ln(75 / 0.25) / 499 an epoch, and has to get from 0.25 to 2 % of the optimum.
    rate = np.log(75 / 0.25) / 499
    goal = 0.02 * 0.25 + 1e-6 * 75.25
    assert found.values["needed"] == pytest.approx(np.log(0.25 / goal) / rate, rel=0.02)
    assert found.suggestion == Suggestion("learning_rate", 0.05)
    assert str(found).startswith("Still falling: 2 times the noise floor")


def test_still_falling_without_noise_has_no_ratio() -> None:
    target = Target(optimum_slope=3.0, optimum_loss=0.0, noise_floor=0.0, mean_square_x=25 / 3)
    found = said(RunConfig(noise=0), history_of(decay(75, 1, 100, floor=0.0)), target)
    assert found.kind is VerdictKind.STILL_FALLING
    assert "ratio" not in found.values


def test_just_begun_makes_no_projection() -> None:
    found = said(RunConfig(), history_of([80.0, 79.0, 78.0]))
    assert found.kind is VerdictKind.STILL_FALLING
    assert "needed" not in found.values


def test_too_slow_while_running_counts_the_epochs_that_are_left() -> None:
    found = said(RunConfig(epochs=500, learning_rate=1e-4), history_of(decay(75, 70, 300)))
    assert found.kind is VerdictKind.TOO_SLOW
    assert found.values["left"] == 200
    assert found.values["needed"] > 3 * 200
    assert found.suggestion == Suggestion("learning_rate", 5e-4)


def test_too_slow_after_the_end_counts_in_runs() -> None:
    found = said(RunConfig(epochs=300, learning_rate=1e-4), history_of(decay(75, 70, 300), finished(300)))
    assert found.kind is VerdictKind.TOO_SLOW
    assert found.values["epochs"] == 300
    assert found.values["times"] > 3


def test_a_loss_that_hardly_moves_will_not_arrive_in_a_million_epochs() -> None:
    found = said(RunConfig(learning_rate=1e-6), history_of(decay(75, 74.9999, 300)))
    assert found.kind is VerdictKind.TOO_SLOW
    assert "million" in str(found)


def test_standing_still_suggests_half_the_learning_rate() -> None:
    config = RunConfig(learning_rate=0.1, global_batch_size=10)
    found = said(config, history_of([*decay(75, 0.5, 50), *([0.75] * 100)]))
    assert found.kind is VerdictKind.STANDING_STILL
    assert found.values["ratio"] == pytest.approx(3.0)
    assert found.suggestion == Suggestion("learning_rate", 0.05)


def test_sgd_is_never_sent_beyond_where_a_line_diverges() -> None:
    config = RunConfig(learning_rate=0.02, optimizer=OptimizerName.SGD)
    found = said(config, history_of(decay(75, 1, 100)))
    assert found.suggestion == Suggestion("learning_rate", 0.05)
    at_limit = RunConfig(learning_rate=0.05, optimizer=OptimizerName.SGD)
    assert said(at_limit, history_of(decay(75, 1, 100))).suggestion == Suggestion("epochs", 1000)


@pytest.mark.parametrize("kind", VerdictKind)
def test_every_template_can_be_filled(kind: VerdictKind) -> None:
    """Every verdict above is a sentence with all of its numbers in it: none may lack one."""
    histories = {
        VerdictKind.DIVERGED: history_of([1.0], RunDiverged(1, 2, 0.1)),
        VerdictKind.GROWING: history_of([1.0, 9.0]),
        VerdictKind.AT_FLOOR: history_of(decay(70, 1e-6, 400)),
        VerdictKind.NOISE_WINS: history_of(decay(60, 1e-6, 300)),
        VerdictKind.TOO_SLOW: history_of(decay(75, 70, 300)),
        VerdictKind.STANDING_STILL: history_of([*decay(75, 0.5, 50), *([0.75] * 100)]),
        VerdictKind.STILL_FALLING: history_of(decay(75, 0.25, 500), finished(500)),
    }
    slope = 2.0 if kind is VerdictKind.NOISE_WINS else 3.0
    found = said(RunConfig(), histories[kind], Target(slope, 0.25, 0.25, 8.0))
    assert found.kind is kind
    assert "{" not in str(found)
    assert found.suggestion is not None
