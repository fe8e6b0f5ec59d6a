"""What a person types for a setting that is searched over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.errors import ConfigError
from dpdash.core.sweep_axis import MOST_VALUES, Axis


@pytest.mark.parametrize(
    ("setting", "text", "axis"),
    [
        ("learning_rate", "0.01, 0.1", Axis("learning_rate", (0.01, 0.1))),
        ("learning_rate", " 1e-3..1 ", Axis("learning_rate", low=0.001, high=1.0)),
        ("samples", "100,100, 1000,", Axis("samples", (100, 1000))),
        ("samples", "100..1000", Axis("samples", low=100.0, high=1000.0)),
        ("optimizer", "adam, sgd", Axis("optimizer", ("adam", "sgd"))),
        ("global_batch_size", "20000", Axis("global_batch_size", (20000,))),
        ("replicas", "2, 4", Axis("replicas", (2, 4))),
        ("noise", "", Axis("noise")),
        ("bucket_cap_mb", "0.25..1", Axis("bucket_cap_mb", low=0.25, high=1.0)),
        ("accumulation_steps", "1, 4", Axis("accumulation_steps", (1, 4))),
        ("warmup_epochs", "0, 5", Axis("warmup_epochs", (0, 5))),
    ],
)
def test_text_becomes_an_axis(setting: str, text: str, axis: Axis) -> None:
    assert Axis.parse(setting, text) == axis


@pytest.mark.parametrize(
    ("setting", "text", "sentence"),
    [
        ("engine", "single", "A sweep cannot search over engine."),
        ("nonsense", "1", "A sweep cannot search over nonsense."),
        ("learning_rate", "fast", "learning rate must be a number. Received: fast."),
        ("learning_rate", "0.1, 11", "learning rate must be at most 10"),
        ("samples", "1.5", "samples must be a whole number"),
        ("optimizer", "adam..sgd", "A range of optimizer has a lower and a higher end"),
        ("learning_rate", "1..0.1", "A range of learning rate has a lower and a higher end"),
        ("learning_rate", "1..", "A range of learning rate has a lower and a higher end"),
        ("seed", "1..2..3", "A range of seed has a lower and a higher end"),
        ("seed", "1," * MOST_VALUES + "2", "seed can have at most 30 values in a sweep. Received: 31."),
    ],
)
def test_what_is_not_allowed_is_a_sentence(setting: str, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Axis.parse(setting, text)
    assert sentence in str(raised.value)


@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=MOST_VALUES, unique=True))
def test_values_are_those_that_were_typed(values: list[float]) -> None:
    assert Axis.parse("learning_rate", ", ".join(map(repr, values))).values == tuple(values)


def test_a_scale_is_logarithmic_from_a_decade_on() -> None:
    assert Axis("learning_rate", low=0.01, high=0.1).is_log
    assert not Axis("noise", low=0.0, high=1.0).is_log
    assert not Axis("samples", (100, 900)).is_log
    assert not Axis("optimizer", ("adam", "sgd")).is_log


def test_extremes_are_of_the_settings_own_kind() -> None:
    assert Axis("samples", low=1.0, high=5.0).extremes == (1, 5)
    assert Axis("bucket_cap_mb", low=0.25, high=1.0).extremes == (0.25, 1.0)
    assert set(Axis("seed", (3, 1, 2)).extremes) == {1, 3}
    assert Axis("optimizer", ("sgd", "adam")).extremes == ("sgd",)
