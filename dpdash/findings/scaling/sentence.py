"""A sentence that is put together where it is read: in the language of who reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

Values = Mapping[str, float | Decimal | StrEnum]
"""A decimal is written with all of its digits, another number with three, and a choice with its name."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A template and its numbers."""

    template: str
    values: Values = field(default_factory=dict)
