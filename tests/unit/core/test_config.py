import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.config import FIELD_NAMES, EngineName, RunConfig, bounds, for_its_engine
from dpdash.core.errors import ConfigError
from dpdash.core.validation import MAX_RECEIVED_LENGTH, readable
from tests.strategies import ANY_CHARACTERS, HOSTILE_VALUES, run_configs

WHOLE = (
    *("samples", "seed", "epochs", "warmup_epochs", "global_batch_size"),
    *("replicas", "accumulation_steps", "hidden_width", "hidden_depth"),
)
REAL = ("noise", "learning_rate", "bucket_cap_mb")
LONGEST_SENTENCE = 400


def sentence(**values: object) -> str:
    """The one sentence that these settings get."""
    with pytest.raises(ConfigError) as raised:
        RunConfig.parse(values)
    [problem] = raised.value.problems
    assert problem.setting in (*values, *FIELD_NAMES)
    return str(problem)


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("samples", 0, "samples must be at least 1. Received: 0. Try 10000."),
        ("samples", 10_000_001, "samples must be at most 10000000. Received: 10000001. Try 10000."),
        ("samples", "1e12", "samples must be a whole number. Received: 1e12. Try 10000."),
        ("samples", "10.5", "samples must be a whole number. Received: 10.5. Try 10000."),
        ("samples", 10.5, "samples must be a whole number. Received: 10.5. Try 10000."),
        ("noise", -0.1, "noise must be at least 0. Received: -0.1. Try 0.5."),
        ("noise", 101, "noise must be at most 100. Received: 101. Try 0.5."),
        ("noise", "loud", "noise must be a number. Received: loud. Try 0.5."),
        ("seed", -1, "seed must be at least 0. Received: -1. Try 0."),
        ("seed", 2**32, "seed must be at most 4294967295. Received: 4294967296. Try 0."),
        ("epochs", -1, "epochs must be at least 1. Received: -1. Try 500."),
        ("epochs", 1_000_001, "epochs must be at most 1000000. Received: 1000001. Try 500."),
        ("learning_rate", 0, "learning rate must be at least 1e-06. Received: 0. Try 0.01."),
        ("learning_rate", 10.5, "learning rate must be at most 10. Received: 10.5. Try 0.01."),
        ("learning_rate", "nan", "learning rate must be a number. Received: nan. Try 0.01."),
        ("learning_rate", math.inf, "learning rate must be a number. Received: inf. Try 0.01."),
        (
            "optimizer",
            "magic",
            "optimizer must be one of adam, adamw, sgd, sgd_momentum, rmsprop. Received: magic. Try adam.",
        ),
        ("global_batch_size", 0, "global batch size must be at least 1. Received: 0. Try 100."),
        ("global_batch_size", 10**8, "global batch size must be at most 10000000. Received: 100000000. Try 100."),
        (
            "engine",
            "gpu",
            "engine must be one of single, data_parallel, cpu_replicas, ddp. Received: gpu. Try single.",
        ),
        ("replicas", 0, "replicas must be at least 1. Received: 0. Try 1."),
        ("replicas", 99, "replicas must be at most 64. Received: 99. Try 1."),
        ("hidden_width", 0, "hidden width must be at least 1. Received: 0. Try 64."),
        ("hidden_width", 5000, "hidden width must be at most 4096. Received: 5000. Try 64."),
        ("hidden_depth", -1, "hidden depth must be at least 0. Received: -1. Try 0."),
        ("hidden_depth", 9, "hidden depth must be at most 8. Received: 9. Try 0."),
        ("warmup_epochs", -1, "warmup epochs must be at least 0. Received: -1. Try 0."),
        ("accumulation_steps", 0, "accumulation steps must be at least 1. Received: 0. Try 1."),
        ("accumulation_steps", 65, "accumulation steps must be at most 64. Received: 65. Try 1."),
        ("bucket_cap_mb", 0, "bucket cap mb must be at least 0.0005. Received: 0. Try 0.5."),
        ("bucket_cap_mb", 1025, "bucket cap mb must be at most 1024. Received: 1025. Try 0.5."),
        ("bucket_cap_mb", "much", "bucket cap mb must be a number. Received: much. Try 0.5."),
    ],
)
def test_a_sentence_names_setting_rule_value_and_way_out(setting: str, value: object, expected: str) -> None:
    assert sentence(**{setting: value}) == expected


def test_settings_that_do_not_fit_together() -> None:
    assert sentence(replicas=2) == (
        "replicas must be 1 with the engine single. Received: 2. Try the engine cpu_replicas."
    )
    assert sentence(samples=10, global_batch_size=11) == (
        "global batch size must be at most the number of samples, 10. Received: 11. Try 10, or leave it out."
    )


@pytest.mark.parametrize("engine", [engine for engine in EngineName if engine is not EngineName.DDP])
def test_other_engines_refuse_what_only_ddp_has(engine: EngineName) -> None:
    assert sentence(engine=engine, bucket_cap_mb=0.5) == (
        "bucket cap mb is a setting of the engine ddp alone. "
        f"Received: 0.5 with the engine {engine}. Leave it out, or try the engine ddp."
    )
    with pytest.raises(ConfigError) as raised:
        RunConfig.parse({"engine": engine, "bucket_cap_mb": 2, "accumulation_steps": 3})
    assert [problem.setting for problem in raised.value.problems] == ["bucket_cap_mb", "accumulation_steps"]
    values = {"engine": engine, "bucket_cap_mb": 2, "accumulation_steps": 3, "epochs": 7}
    assert RunConfig.parse(for_its_engine(values)) == RunConfig(engine=engine, epochs=7)
    assert for_its_engine(values | {"engine": "ddp"}) == values | {"engine": "ddp"}


def test_an_unknown_setting_names_those_that_there_are() -> None:
    known = ", ".join(FIELD_NAMES)
    assert sentence(smaples=3) == f"There is no setting called smaples. The settings are: {known}."


def test_a_long_value_is_shown_short() -> None:
    assert len(sentence(samples="9" * 5000)) < 200
    assert len(sentence(**{"🦄" * 5000: "x"})) < 300
    assert "9" * MAX_RECEIVED_LENGTH not in sentence(samples="9" * 5000)


@pytest.mark.parametrize("setting", [*WHOLE, *REAL])
def test_the_bounds_themselves_are_allowed(setting: str) -> None:
    low, high = bounds(setting)
    around = {"engine": "ddp", "samples": 10_000_000}
    for value in (low, high):
        assert getattr(RunConfig.parse({**around, setting: value}), setting) == value


def test_every_wrong_setting_has_its_sentence() -> None:
    with pytest.raises(ConfigError) as raised:
        RunConfig.parse({"samples": 0, "epochs": "many", "learning_rate": 99})
    assert {problem.setting for problem in raised.value.problems} == {"samples", "epochs", "learning_rate"}


def test_parse_partly_keeps_what_is_allowed() -> None:
    config, problems = RunConfig.parse_partly({"samples": "0", "noise": "2.5", "run": "x", "epochs": "7"})
    assert (config.noise, config.epochs, config.samples) == (2.5, 7, 10_000)
    assert [problem.setting for problem in problems] == ["samples", "run"]


def test_parse_partly_finds_what_only_shows_after_another_was_dropped() -> None:
    config, problems = RunConfig.parse_partly({"engine": "warp", "replicas": "4", "noise": "1"})
    assert (config.engine, config.replicas, config.noise) == ("single", 1, 1.0)
    assert [problem.setting for problem in problems] == ["engine", "replicas"]


JUNK = (
    HOSTILE_VALUES
    | st.integers()
    | st.integers(10**4000, 10**5000)
    | st.floats()
    | st.none()
    | st.booleans()
    | st.binary(max_size=10)
    | st.decimals()
    | st.lists(st.text(max_size=3), max_size=2)
)


@given(
    values=st.dictionaries(st.sampled_from(FIELD_NAMES) | st.text(ANY_CHARACTERS, max_size=10), JUNK, max_size=6)
)
def test_whatever_is_sent_becomes_an_allowed_config_and_short_sentences(values: dict[str, object]) -> None:
    config, problems = RunConfig.parse_partly(values)
    assert RunConfig.parse(config.model_dump()) == config
    for problem in problems:
        assert problem.setting in readable(values)
        assert 0 < len(str(problem)) < LONGEST_SENTENCE
        assert str(problem).isprintable()


@given(values=st.dictionaries(st.sampled_from(FIELD_NAMES), JUNK, max_size=6))
def test_what_is_accepted_is_within_bounds(values: dict[str, object]) -> None:
    try:
        config = RunConfig.parse(values)
    except ConfigError:
        return
    for setting in (*WHOLE, *REAL):
        low, high = bounds(setting)
        value = getattr(config, setting)
        assert value is None or low <= value <= high
        assert math.isfinite(value or 0)


def test_a_value_is_repeated_on_one_line() -> None:
    assert sentence(samples="\n\n# a\u202e").startswith("samples must be a whole number. Received: ��# a�. Try")
    assert sentence(samples="") == 'samples must be a whole number. Received: "". Try 10000.'
    assert len(sentence(samples=10**5000)) < LONGEST_SENTENCE


def test_half_a_character_is_shown_as_none() -> None:
    assert sentence(samples="\udcff") == "samples must be a whole number. Received: �. Try 10000."
    assert sentence(optimizer="\ud800").endswith("Received: �. Try adam.")
    config, [problem] = RunConfig.parse_partly({"\udcff": "1", "epochs": "7"})
    assert config.epochs == 7
    assert str(problem).startswith("There is no setting called �.")


@given(config=run_configs())
def test_a_config_round_trips_through_the_address(config: RunConfig) -> None:
    assert RunConfig.parse(config.to_query()) == config


@given(config=run_configs())
def test_a_config_round_trips_through_json(config: RunConfig) -> None:
    assert RunConfig.model_validate_json(config.model_dump_json()) == config
    assert RunConfig.parse(json.loads(json.dumps(config.model_dump(mode="json")))) == config


@given(config=run_configs(), other=run_configs())
def test_changes_turn_one_config_into_the_other(config: RunConfig, other: RunConfig) -> None:
    assert RunConfig.parse({**other.model_dump(), **config.changes_from(other)}) == config
    assert config.changes_from(config) == {}


def test_every_setting_is_explained() -> None:
    for name, field in RunConfig.model_fields.items():
        assert field.title, name
        assert field.description, name
