"""The learning rates of a run that was moved."""

from dpdash.core.config import RunConfig, bounds
from dpdash.core.events import LearningRateChanged
from dpdash.core.learning_rates import in_force, moves

CONFIG = RunConfig(learning_rate=0.01)


def test_the_last_of_an_epoch_counts_and_what_changes_nothing_does_not() -> None:
    changes = [
        LearningRateChanged(5, 0.5),
        LearningRateChanged(5, 0.25),
        LearningRateChanged(9, 0.25),
        LearningRateChanged(12, 0.01),
    ]
    assert moves(CONFIG, changes) == (LearningRateChanged(5, 0.25), LearningRateChanged(12, 0.01))
    assert moves(CONFIG, [LearningRateChanged(3, 0.5), LearningRateChanged(3, 0.01)]) == ()
    assert moves(CONFIG, []) == ()


def test_the_rate_in_force_is_that_of_the_last_move_within_bounds() -> None:
    assert in_force(CONFIG, [LearningRateChanged(5, 0.5), LearningRateChanged(9, 0.1)]).learning_rate == 0.1
    assert in_force(CONFIG, []) is CONFIG
    assert in_force(CONFIG, [LearningRateChanged(5, -1e300)]).learning_rate == bounds("learning_rate")[0]


def test_the_first_move_while_a_run_warms_up_ends_that_whatever_it_is() -> None:
    config = RunConfig(warmup_epochs=5)
    back = LearningRateChanged(5, config.learning_rate)
    assert moves(config, [back]) == (back,)
    assert moves(config, [LearningRateChanged(6, config.learning_rate)]) == ()
    assert moves(config, [back, LearningRateChanged(5, 0.5)]) == (LearningRateChanged(5, 0.5),)
    assert moves(config, [LearningRateChanged(2, 0.5), LearningRateChanged(3, 0.5)])[1:] == ()
