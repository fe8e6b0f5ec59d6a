"""How many bytes a model's gradient has, and how DDP cuts it into buckets."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor, log10
from typing import Final

from dpdash.core.config import bounds

BYTES_OF_A_NUMBER: Final = 4
MIB: Final = 2**20
FIRST_BUCKET_BYTES, OTHER_BUCKETS_BYTES = MIB, 25 * MIB
"""torch's own limits, where no size is set."""
MOST_CAPS: Final = 5


def tensor_sizes(hidden_width: int, hidden_depth: int) -> tuple[int, ...]:
    """Bytes of the gradient of each weight and each bias of a model, from the input to the output."""
    widths = (1, *[hidden_width] * hidden_depth, 1)
    return tuple(
        BYTES_OF_A_NUMBER * numbers
        for width_in, width_out in pairwise(widths)
        for numbers in (width_in * width_out, width_out)
    )


def gradient_bytes(hidden_width: int, hidden_depth: int) -> int:
    """Bytes that a rank's gradient of a model has."""
    return sum(tensor_sizes(hidden_width, hidden_depth))


def bucket_sizes(sizes: Sequence[int], cap_mb: float | None) -> tuple[int, ...]:
    """Bytes of each bucket, in the order in which backward fills them: from the last layer to the first.

    A bucket is closed by the gradient that fills it up, so that none is cut (torch, `reducer.cpp`,
    `compute_bucket_assignment_by_size`). `cap_mb` is in MiB; None stands for torch's own limits.
    """
    caps = (FIRST_BUCKET_BYTES, OTHER_BUCKETS_BYTES) if cap_mb is None else (round(cap_mb * MIB),)
    buckets, filled = list[int](), 0
    for size in reversed(sizes):
        filled += size
        if filled >= caps[min(len(buckets), len(caps) - 1)]:
            buckets.append(filled)
            filled = 0
    return tuple([*buckets, filled] if filled else buckets)


def bucket_caps(sizes: Sequence[int]) -> tuple[float | None, ...]:
    """Bucket sizes in MiB that cut a gradient differently: torch's own limits, one bucket, and on to many."""
    caps: dict[tuple[int, ...], float | None] = {bucket_sizes(sizes, None): None}
    least, cap = bounds("bucket_cap_mb")[0], _rounded_up(sum(sizes) / MIB)
    while cap > least:
        caps.setdefault(bucket_sizes(sizes, cap), cap)
        cap = _rounded_up(cap / 2)
    caps.setdefault(bucket_sizes(sizes, least), least)
    found = list(caps.values())
    return tuple(found if len(found) <= MOST_CAPS else [*found[: MOST_CAPS - 1], found[-1]])


def _rounded_up(number: float) -> float:
    """In three significant digits."""
    unit = 10.0 ** (floor(log10(number)) - 2)
    return float(f"{ceil(number / unit) * unit:.3g}")
