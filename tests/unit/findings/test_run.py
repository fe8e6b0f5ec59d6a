"""Each verdict from a synthetic history, with its numbers and its suggestion."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.config import OptimizerName, RunConfig
from dpdash.core.events import EpochBlock, LearningRateChanged, RunDiverged, RunEvent, RunFinished
from dpdash.core.history import History, HistorySnapshot
from dpdash.core.own_data import OwnData
from dpdash.core.scales import scale
from dpdash.findings.run import MIN_TREND_EPOCHS, SWING, Verdict, VerdictKind, verdict
from dpdash.findings.suggestion import Suggestion, Target, Tried
from dpdash.problem.preview import preview, target
from dpdash.training.catalog import require
from dpdash.training.control import RunControl

TARGET = Target(optimum_slope=3.001, optimum_loss=0.25, noise_floor=0.25, mean_square_x=25 / 3)


def history_of(losses: list[float], *others: RunFinished | RunDiverged | LearningRateChanged) -> HistorySnapshot:
    history = History()
    loss = np.array(losses, dtype=np.float32)
    ones = np.ones(len(loss))
    if len(loss):
        history.fold(EpochBlock(1, loss, ones, ones, ones, np.arange(1.0, len(loss) + 1)))
    for event in others:
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
    losses = [5.0, 1.0, 0.25, 0.4, 0.45, 0.4, 0.45, 0.4, 0.4, *[0.25] * 40]
    found = said(RunConfig(epochs=1000), history_of(losses))
    assert found.kind is VerdictKind.AT_FLOOR
    assert (found.values["reached"], found.suggestion) == (10, Suggestion("epochs", 10))


def test_no_epoch_is_said_to_be_at_the_floor_from_which_the_loss_rose_again() -> None:
    losses = decay(70, 1e-6, 5000)
    losses[3000:3010] = [0.4] * 10
    history = history_of(losses)
    assert history.width > 1
    found = said(RunConfig(epochs=100_000), history)
    assert 3010 < found.values["reached"] <= 3010 + history.width


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
    assert str(found).startswith("It ended while the loss was falling: 2 times the noise floor")


def test_still_falling_without_noise_has_no_ratio() -> None:
    target = Target(optimum_slope=3.0, optimum_loss=0.0, noise_floor=0.0, mean_square_x=25 / 3)
    found = said(RunConfig(noise=0), history_of(decay(75, 1, 100, floor=0.0)), target)
    assert found.kind is VerdictKind.STILL_FALLING
    assert "ratio" not in found.values


def test_just_begun_makes_no_projection() -> None:
    found = said(RunConfig(), history_of([80.0, 79.0, 78.0]))
    assert found.kind is VerdictKind.JUST_BEGUN
    assert "needed" not in found.values


def test_a_run_of_five_epochs_that_has_ended_has_not_just_begun() -> None:
    found = said(RunConfig(epochs=5), history_of([80.0, 79.0, 78.0, 77.0, 76.0], finished(5)))
    assert str(found) == "It ended at epoch 5, too early for a trend: the loss 76 is 304 times the noise floor."
    assert found.suggestion == Suggestion("learning_rate", 0.05)


@pytest.mark.parametrize(("last", "says"), [(1.27, "rises and falls"), (1.05, "rises and falls")])
def test_a_loss_that_swings_is_not_said_to_fall(last: float, says: str) -> None:
    losses = [*decay(75, 0.2, 60), 0.3, 0.5, 0.9, 1.3, 0.9, 0.5, 0.3, 0.5, 0.9, last]
    found = said(RunConfig(learning_rate=0.5), history_of(losses))
    assert found.kind is VerdictKind.OSCILLATING
    assert says in str(found)
    assert found.values["highest"] == pytest.approx(1.3)
    assert found.suggestion == Suggestion("learning_rate", 0.1)


def test_a_loss_that_dips_under_the_floor_in_its_swing_is_not_there() -> None:
    losses = [*decay(75, 0.2, 60), 0.5, 0.9, 0.5, 0.25]
    assert said(RunConfig(), history_of(losses)).kind is VerdictKind.OSCILLATING


def test_suggestions_begin_at_the_rate_in_force_and_pass_none_that_was_left() -> None:
    losses = [*decay(75, 2, 60), 3.0, 5.0, 9.0, 7.0, 5.0, 3.0, 5.0, 9.0, 7.0]
    moved = said(RunConfig(learning_rate=0.01), history_of(losses, LearningRateChanged(60, 0.5)))
    assert moved.suggestion == Suggestion("learning_rate", 0.1)
    left = said(RunConfig(learning_rate=0.1), history_of(losses, LearningRateChanged(60, 0.5)))
    assert left.suggestion == Suggestion("learning_rate", 0.2)
    beside = said(RunConfig(learning_rate=0.2), history_of(losses, LearningRateChanged(60, 0.5)))
    assert beside.suggestion is None


def test_the_trend_is_that_of_the_rate_in_force() -> None:
    losses = [*[9.0] * 60, *decay(8.75, 4, 3)]
    early = said(RunConfig(learning_rate=1e-4), history_of(losses, LearningRateChanged(61, 0.05)))
    assert (early.kind, early.suggestion) == (VerdictKind.JUST_CHANGED, None)
    assert "since epoch 61" in str(early)
    later = said(
        RunConfig(learning_rate=1e-4, epochs=600),
        history_of([*losses, *decay(4, 1, 30)], LearningRateChanged(61, 0.05)),
    )
    assert later.kind is VerdictKind.STILL_FALLING
    assert later.suggestion == Suggestion("learning_rate", 0.2)


def test_what_the_sweep_has_shown_to_be_worse_is_not_suggested() -> None:
    tried = (Tried("learning_rate", 0.01, is_worse=True), Tried("learning_rate", 0.1, is_worse=True))
    config = RunConfig(learning_rate=0.03, epochs=500)
    found = said(config, history_of(decay(75, 0.25, 500), finished(500)), replace(TARGET, tried=tried))
    assert found.suggestion == Suggestion("epochs", 1000)


def test_a_suggestion_goes_no_further_than_the_sweep_found_good() -> None:
    tried = (
        Tried("learning_rate", 0.02, is_worse=False),
        Tried("learning_rate", 0.03, is_worse=False),
        Tried("learning_rate", 0.05, is_worse=True),
    )
    found = said(RunConfig(), history_of(decay(75, 0.25, 500), finished(500)), replace(TARGET, tried=tried))
    assert found.suggestion == Suggestion("learning_rate", 0.03)
    outside = replace(TARGET, tried=tried[:2])
    beyond = said(RunConfig(), history_of(decay(75, 0.25, 500), finished(500)), outside)
    assert beyond.suggestion == Suggestion("learning_rate", 0.05)


RATES = st.sampled_from(scale(1e-6, 10))
EXCESSES = st.lists(st.floats(1e-9, 1e6), min_size=1, max_size=60)


@given(
    EXCESSES,
    RATES,
    st.lists(st.tuples(st.integers(1, 60), RATES), max_size=3),
    st.sampled_from(OptimizerName),
    st.booleans(),
)
def test_whatever_the_losses_are_the_verdict_is_true_of_them(
    excesses: list[float],
    rate: float,
    moved: list[tuple[int, float]],
    optimizer: OptimizerName,
    is_over: bool,
) -> None:
    losses = [0.25 + excess for excess in excesses]
    changes = [LearningRateChanged(min(epoch, len(losses)), new) for epoch, new in sorted(moved)]
    endings = [finished(len(losses))] if is_over else []
    config = RunConfig(learning_rate=rate, optimizer=optimizer)
    found = said(config, history_of(losses, *changes, *endings))
    outside = [epoch for epoch, loss in enumerate(losses, 1) if np.float32(loss) > 1.02 * 0.25 + 1e-6 * losses[0]]
    match found.kind:
        case VerdictKind.AT_FLOOR:
            assert found.values["reached"] == (outside[-1] + 1 if outside else 1)
        case VerdictKind.STILL_FALLING | VerdictKind.TOO_SLOW:
            last_epochs = losses[-MIN_TREND_EPOCHS:]
            assert losses[-1] < last_epochs[0]
            assert losses[-1] < SWING * max(min(last_epochs), 0.255)
        case VerdictKind.OSCILLATING:
            assert found.values["lowest"] * SWING <= found.values["highest"] * 1.0001
    rates = [rate, *(change.learning_rate for change in changes)]
    if found.suggestion is not None and found.suggestion.setting == "learning_rate":
        assert found.suggestion.value not in rates
    assert not is_over or not re.match("Just|Still|The loss (grows|rises)|Standing", str(found))
    assert "{" not in str(found)


def test_a_real_run_that_swings_is_never_said_to_fall_while_it_rises() -> None:
    """The default settings with a rate of 0.5, as somebody saw them called falling and stalled by turns."""
    config = RunConfig(learning_rate=0.5, epochs=300)
    said_by_run: list[RunEvent] = []
    require(config).run(config, said_by_run.append, RunControl())
    losses = [loss for event in said_by_run if isinstance(event, EpochBlock) for loss in event.loss.tolist()]
    known = target(preview(config))
    kinds = {epoch: said(config, history_of(losses[:epoch]), known).kind for epoch in range(10, 301)}
    assert VerdictKind.OSCILLATING in kinds.values()
    swings = {VerdictKind.OSCILLATING, VerdictKind.GROWING}
    floor = 1.02 * known.optimum_loss
    for epoch, kind in kinds.items():
        lowest = max(min(losses[epoch - MIN_TREND_EPOCHS : epoch]), floor)
        if losses[epoch - 1] > SWING * lowest * 1.001:
            assert kind in swings, (epoch, kind)


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
        VerdictKind.OSCILLATING: history_of([1.0, 9.0, 1.0, 9.0, 1.0]),
        VerdictKind.JUST_BEGUN: history_of([9.0, 8.0]),
        VerdictKind.JUST_CHANGED: history_of([9.0, 8.0, 7.0], LearningRateChanged(2, 0.5)),
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
    assert (found.suggestion is None) == (kind is VerdictKind.JUST_CHANGED)


def test_of_own_data_nothing_is_said_of_noise_or_a_true_line_and_neither_is_to_be_changed() -> None:
    data = OwnData(digest="0" * 64, name="own.csv", rows=1000)
    target = Target(optimum_slope=-7.0, optimum_loss=0.25, noise_floor=0.25, mean_square_x=25 / 3)
    histories = (
        history_of(decay(70, 1e-4, 500), finished(500)),
        history_of([50.0]),
        history_of([50.0], finished(1)),
        history_of([50.0] * 40),
        history_of([50.0] * 40, finished(40)),
        history_of(decay(70, 60, 100)),
        history_of(decay(70, 60, 100), finished(100)),
        history_of(decay(70, 1, 200)),
        history_of(decay(70, 1, 200), finished(200)),
        history_of([1.0, 2.0], RunDiverged(2, 3, 1.0)),
    )
    for history in histories:
        for settings in (RunConfig(), RunConfig(learning_rate=10, epochs=1_000_000)):
            found = said(settings.on(data), history, target)
            assert not {"noise", "true"} & set(str(found).replace(".", " ").replace(":", " ").split())
            assert found.suggestion is None or found.suggestion.setting not in ("samples", "noise")
    assert said(RunConfig().on(data), histories[0], target).kind is VerdictKind.AT_FLOOR
    assert "standardise" in str(said(RunConfig().on(data), histories[-1], target))
