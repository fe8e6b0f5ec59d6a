"""Ways in which ranks add up their numbers."""

from enum import StrEnum


class ExchangeWay(StrEnum):
    """How all ranks get the sum of what each of them has."""

    ALL_REDUCE = "all_reduce"
    """torch's own: Gloo's or NCCL's."""
    RING = "ring"
    """By hand, each rank to the next: all ranks send and receive as much."""
    NAIVE = "naive"
    """By hand, all to the first rank, which adds up and sends the sum to each."""
