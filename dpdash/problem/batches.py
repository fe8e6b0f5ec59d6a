"""Batches of the data in a new order in every epoch."""

from collections.abc import Iterator

import torch
from torch import Tensor


class ShuffledBatches:
    """Iterating is one pass over the data in a fresh order; the last batch holds what is left.

    Why this is no `DataLoader`: docs/adr/0001-batches.md.
    """

    def __init__(self, x: Tensor, y: Tensor, global_batch_size: int, generator: torch.Generator) -> None:
        """`x` and `y` have the shape (num_samples, 1) and may live on any device; the generator is the CPU's."""
        self._x = x
        self._y = y
        self._size = global_batch_size
        self._generator = generator

    def __len__(self) -> int:
        return -(-len(self._x) // self._size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = draw_order(len(self._x), self._generator, self._x.device)
        x, y = self._x[order], self._y[order]
        yield from zip(torch.split(x, self._size), torch.split(y, self._size), strict=True)


def draw_order(num_samples: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Draw the order of one pass: a permutation of the samples, shape (num_samples,), on the given device."""
    if device.type != "cuda":
        return torch.randperm(num_samples, generator=generator)
    # From pinned memory the copy does not wait for the GPU to finish the epoch before.
    return torch.randperm(num_samples, generator=generator, pin_memory=True).to(device, non_blocking=True)
