"""What pydantic refuses, in sentences that give rule, value received and way out."""

from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import Field

from dpdash.core.errors import ConfigError
from dpdash.core.validation import Settings


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(Settings):
    size: int = 1


class Made(Settings):
    """A field of every kind."""

    whole: Annotated[int, Field(ge=1, le=9)] = 3
    number: float = 0.25
    word: str = "a"
    pattern: Annotated[str, Field(pattern="^a+$")] = "aa"
    is_on: bool = True
    color: Color = Color.RED
    sizes: tuple[int, ...] = Field(min_length=1, max_length=2, examples=[7])
    inner: Inner = Field(default=Inner(), examples=["size=1"])


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("whole", 0, "whole must be at least 1. Received: 0. Try 3."),
        ("whole", 10, "whole must be at most 9. Received: 10. Try 3."),
        ("whole", "9" * 5000, f"whole must be a whole number. Received: {'9' * 39}…. Try 3."),
        ("whole", 1.5, "whole must be a whole number. Received: 1.5. Try 3."),
        ("whole", None, "whole must be a whole number. Received: None. Try 3."),
        ("number", "x", "number must be a number. Received: x. Try 0.25."),
        ("number", None, "number must be a number. Received: None. Try 0.25."),
        ("number", "inf", "number must be a number. Received: inf. Try 0.25."),
        ("word", 1, "word must be a text. Received: 1. Try a."),
        ("pattern", "b", "pattern is not as it must be. Received: b. Try aa."),
        ("is_on", "maybe", "is on must be true or false. Received: maybe. Try True."),
        ("is_on", None, "is on must be true or false. Received: None. Try True."),
        ("color", "green", "color must be one of red, blue. Received: green. Try red."),
        ("sizes", 1, "sizes must be a list. Received: 1. Try 7."),
        ("sizes", (), "sizes must have 1 or more entries. Received: 0. Try 7."),
        ("sizes", (1, 2, 3), "sizes may have at most 2 entries. Received: 3. Try 7."),
        ("sizes", (1, "\udcff"), "sizes is not as it must be. Received: �. Try 7."),
        ("inner", 1, "inner must be an object. Received: 1. Try size=1."),
    ],
)
def test_each_rule_has_its_sentence(name: str, value: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Made.parse({"sizes": (1,), name: value})
    [problem] = raised.value.problems
    assert problem.setting == name
    assert str(problem) == sentence


def test_what_is_missing_and_what_is_too_much() -> None:
    with pytest.raises(ConfigError) as raised:
        Made.parse({"colour": "red"})
    assert [str(problem) for problem in raised.value.problems] == [
        "sizes is missing. Try 7.",
        "There is no setting called colour. The settings are: whole, number, word, pattern, is_on, color, sizes, "
        "inner.",
    ]
