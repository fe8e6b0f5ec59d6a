"""What a sweep may be, and what it is not."""

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import ConfigError
from dpdash.core.own_data import OwnData
from dpdash.core.sweep import Objective, SearchMethod, TrialStatus
from dpdash.core.sweep_axis import Axis, Value
from tests.unit.sweeps.conftest import sweep_of, sweep_plan_of

RATES = Axis("learning_rate", (0.01, 0.1))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"axes": ()}, "A sweep searches over 1 to 4 settings. Received: 0."),
        ({"axes": (RATES, RATES)}, "learning rate can be searched once."),
        ({"axes": (Axis("engine", ("single",)),)}, "A sweep cannot search over engine."),
        ({"axes": (Axis("learning_rate"),)}, "learning rate needs values to search over"),
        ({"axes": (Axis("optimizer"),)}, "optimizer needs one or more to search over"),
        ({"axes": (Axis("learning_rate", low=0.1, high=1.0),)}, "A grid needs the values of learning rate"),
        ({"axes": (Axis("seed", tuple(range(31))),)}, "seed can have at most 30 values in a sweep. Received: 31."),
        ({"axes": (Axis("seed", tuple(range(30))), Axis("epochs", tuple(range(1, 31))))}, "Received: 900."),
        ({"method": SearchMethod.TPE, "trials": 0}, "A sweep has from 1 to 500 trials. Received: 0."),
        ({"method": SearchMethod.TPE, "trials": 501}, "Received: 501."),
        ({"seed": -1}, "seed must be at least 0. Received: -1. Try 0."),
        ({"axes": (Axis("samples", (10, 100)),), "base": RunConfig(global_batch_size=50)}, "global batch size"),
        ({"axes": (Axis("replicas", (1, 2)),)}, "replicas must be 1 with the engine single"),
        ({"axes": (Axis("learning_rate", (0.1, 11.0)),)}, "learning rate must be at most 10"),
        (
            {"base": RunConfig(noise=0), "objective": Objective.EPOCHS_TO_REACH},
            "noise must be above 0 where a sweep asks for the noise floor",
        ),
        (
            {"axes": (Axis("noise", (0.0, 1.0)),), "objective": Objective.SECONDS_TO_REACH},
            "noise must be above 0",
        ),
    ],
)
def test_a_plan_that_cannot_be_searched_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        sweep_plan_of(**changes)
    assert sentence in str(raised.value)


def test_a_plan_names_everything_that_is_wrong_with_it() -> None:
    with pytest.raises(ConfigError) as raised:
        sweep_plan_of(axes=(Axis("optimizer"), Axis("engine", ("single",))), method=SearchMethod.TPE, trials=0)
    assert [problem.setting for problem in raised.value.problems] == ["engine", "optimizer", "trials"]


def test_a_grid_has_as_many_trials_as_combinations() -> None:
    assert sweep_plan_of(trials=1).num_trials == 4
    assert sweep_plan_of(method=SearchMethod.RANDOM, trials=7).num_trials == 7


def test_a_trial_has_the_base_and_its_own_values() -> None:
    plan = sweep_plan_of()
    assert plan.config((0.1, "sgd")) == RunConfig(samples=50, epochs=20, learning_rate=0.1, optimizer="sgd")


def test_the_best_is_the_first_with_the_smallest_value() -> None:
    values: dict[tuple[Value, ...], float | TrialStatus] = {
        (0.01, "adam"): 3.0,
        (0.01, "sgd"): 2.0,
        (0.1, "adam"): 2.0,
        (0.1, "sgd"): TrialStatus.DIVERGED,
    }
    sweep = sweep_of(values.__getitem__)
    best = sweep.best
    assert best is not None and best.number == 1
    assert sweep.count(TrialStatus.DIVERGED) == 1
    assert sweep.of_run("run2") == sweep.trials[2]
    assert sweep.of_run("") is None
    assert sweep_of(lambda _value: TrialStatus.FAILED).best is None


def test_own_data_are_searched_over_as_they_are() -> None:
    base = RunConfig().on(OwnData(digest="0" * 64, name="own.csv", rows=50))
    plan = sweep_plan_of(
        base=base, objective=Objective.EPOCHS_TO_REACH, axes=(Axis("learning_rate", (0.1, 0.01)),)
    )
    assert plan.base.data == base.data
    for setting in ("samples", "noise"):
        with pytest.raises(ConfigError, match="cannot be searched with own data"):
            sweep_plan_of(base=base, axes=(Axis(setting, (10, 20)),))
