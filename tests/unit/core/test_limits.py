import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core import config
from dpdash.core.config import EngineName, RunConfig
from dpdash.core.limits import Limits, lifted
from dpdash.core.settings import ServerSettings
from tests.strategies import run_configs

NUMERIC = ("samples", "noise", "seed", "epochs", "learning_rate", "global_batch_size", "replicas", "hidden_width")
NARROW = Limits(runs_per_browser=8, samples=100_000, epochs=300)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    highest = {name: int(config.bounds(name)[1]) for name in ("samples", "epochs")}
    return Limits(8, **{name: draw(st.integers(1, most)) for name, most in highest.items()})


@pytest.mark.parametrize("setting", NUMERIC)
def test_a_server_that_limits_nothing_allows_what_a_setting_may_be(setting: str) -> None:
    assert Limits.of(ServerSettings()).bounds(setting) == config.bounds(setting)


@pytest.mark.parametrize("highest", [10_000_001, 10**12])
def test_no_server_allows_more_than_a_setting_may_be(highest: int) -> None:
    allowed = Limits.of(ServerSettings(max_samples=highest, max_epochs=highest, max_runs_per_browser=3))
    assert allowed == Limits(3, samples=10_000_000, epochs=1_000_000)


def test_the_bounds_are_as_narrow_as_the_server_wants() -> None:
    allowed = Limits.of(ServerSettings(max_samples=2_000, max_epochs=50))
    assert allowed.bounds("samples") == (1, 2_000)
    assert allowed.bounds("epochs") == (1, 50)
    assert allowed.bounds("global_batch_size") == (1, 2_000)
    assert allowed.bounds("learning_rate") == config.bounds("learning_rate")


def test_a_sentence_names_setting_rule_value_and_way_out() -> None:
    asked = RunConfig(samples=1_000_000, epochs=1_000)
    samples, epochs = NARROW.problems(asked)
    assert str(samples) == "samples must be at most 100000 on this server. Received: 1000000. Try 10000."
    assert str(epochs) == "epochs must be at most 300 on this server. Received: 1000. Try 300."
    assert (samples.setting, epochs.setting) == ("samples", "epochs")


def test_the_highest_value_is_allowed() -> None:
    assert NARROW.problems(RunConfig(samples=100_000, epochs=300)) == ()


def test_only_what_is_too_high_is_narrowed() -> None:
    asked = RunConfig(samples=1_000_000, epochs=20, noise=2, global_batch_size=500_000)
    assert NARROW.narrowed(asked) == RunConfig(samples=100_000, epochs=20, noise=2, global_batch_size=100_000), (
        "a batch has no more samples than there are"
    )
    smaller = RunConfig(samples=10, epochs=10, global_batch_size=3)
    assert NARROW.narrowed(smaller) == smaller
    small_batches = RunConfig(samples=1_000_000, epochs=20, global_batch_size=50)
    assert NARROW.narrowed(small_batches) == RunConfig(samples=100_000, epochs=20, global_batch_size=50)


@given(asked=run_configs(), allowed=limits())
def test_whatever_is_asked_for_is_allowed_once_it_is_narrowed(asked: RunConfig, allowed: Limits) -> None:
    narrowed = allowed.narrowed(asked)
    assert RunConfig.parse(dict(narrowed)) == narrowed
    assert allowed.problems(narrowed) == ()
    for name in NUMERIC:
        value = getattr(narrowed, name)
        low, high = allowed.bounds(name)
        assert value is None or low <= value <= high, name
    too_high = {problem.setting for problem in allowed.problems(asked)}
    assert asked.changes_from(narrowed).keys() - {"global_batch_size"} == too_high


def test_whoever_owns_the_machine_is_not_limited() -> None:
    narrow = ServerSettings(max_samples=10, max_epochs=10, max_runs_per_browser=3, paced_slots=5)
    allowed = Limits.of(lifted(narrow))
    assert allowed.problems(RunConfig(samples=10_000_000, epochs=1_000_000, engine=EngineName.SINGLE)) == ()
    assert dataclasses.replace(allowed, samples=10, epochs=10) == Limits.of(narrow)
    assert lifted(narrow).paced_slots == 5
