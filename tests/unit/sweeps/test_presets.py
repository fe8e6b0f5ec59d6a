"""The presets: that they can be searched anywhere, and that they show what they say."""

from collections.abc import Callable
from itertools import product

import pytest

from dpdash.core.history import History
from dpdash.core.sweep import Sweep, Trial
from dpdash.core.sweep_axis import Value
from dpdash.findings.sweep import linear_rule, pooled_ratio, slope_spreads
from dpdash.sweeps.objective import settled
from dpdash.sweeps.presets import PRESETS, PresetName
from dpdash.training.control import RunControl
from dpdash.training.engines.single import Single

WORKSHOP_SAMPLES, WORKSHOP_EPOCHS = 100_000, 100_000


@pytest.mark.parametrize("name", PresetName)
def test_a_preset_can_be_searched_on_the_smallest_server(name: PresetName) -> None:
    plan = PRESETS[name].plan
    assert plan.preset == name
    assert 20 <= plan.num_trials <= 100
    for corner in plan.corners():
        assert corner.samples <= WORKSHOP_SAMPLES and corner.epochs <= WORKSHOP_EPOCHS


def trained(name: PresetName, wanted: Callable[[tuple[Value, ...]], bool]) -> Sweep:
    """The trials of a preset that a test wants, by the real engine."""
    plan = PRESETS[name].plan
    trials = []
    for number, values in enumerate(combinations(name)):
        if wanted(values):
            history = History()
            Single().run(plan.config(values), history.fold, RunControl())
            config = plan.config(values)
            trials.append(settled(Trial(number, values, ""), config, history.snapshot(), plan.objective, None))
    return Sweep("sweep", "ann", 5.0, plan, trials=tuple(trials))


def combinations(name: PresetName) -> list[tuple[Value, ...]]:
    return list(product(*(axis.values for axis in PRESETS[name].plan.axes)))


def test_slopes_scatter_as_the_formula_says() -> None:
    sweep = trained(PresetName.NOISE_SAMPLES, lambda values: values[1] in (25, 100))
    pooled = pooled_ratio(slope_spreads(sweep))
    assert pooled is not None
    assert abs(pooled[0] - 1) < 3 * pooled[1]


def test_the_best_learning_rate_grows_with_the_batch() -> None:
    sweep = trained(PresetName.RATE_BATCH, lambda values: values[0] in (16, 64, 256))
    rule = linear_rule(sweep)
    assert rule is not None and rule.batch_size == 16
    best = {
        size: min(
            (trial.value, trial.values[1]) for trial in sweep.trials if trial.values[0] == size and trial.value
        )
        for size in (16, 64, 256)
    }
    rates = [float(best[size][1]) for size in (16, 64, 256)]
    assert rates == sorted(rates) and rates[0] < rates[-1]
