"""The linear scaling rule: k times the batch wants k times the learning rate (Goyal et al., 2017)."""

from typing import Final

from dpdash.core.config import bounds

SET_DIGITS: Final = 6
"""Significant digits of a learning rate that the rule gives: what a person might have set."""


def scaled_rate(rate: float, batch_size: int, new_batch_size: int) -> float:
    """The learning rate for a batch of another size, from one that was right for `batch_size` samples."""
    low, high = bounds("learning_rate")
    return min(max(float(f"{rate * new_batch_size / batch_size:.{SET_DIGITS}g}"), low), high)
