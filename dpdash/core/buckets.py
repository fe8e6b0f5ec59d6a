"""The arrays behind a history: what is kept of each stretch of epochs, and how stretches merge."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dpdash.core.events import COLUMNS, EpochBlock

Columns: TypeAlias = NDArray[np.float64]
"""Shape (len(COLUMNS), num_epochs)."""
Epochs: TypeAlias = NDArray[np.int64]

MEASURED: Final = ("loss", "slope", "intercept")
"""The columns whose extremes are kept."""


class Buckets:
    """Epochs in at most so many buckets, in memory that is taken once; not safe for threads."""

    def __init__(self, num_buckets: int) -> None:
        assert num_buckets >= 2 and num_buckets % 2 == 0
        self.width = 1
        self.num_epochs = 0
        self.first = np.zeros((len(COLUMNS), num_buckets))
        self.last = np.zeros((len(COLUMNS), num_buckets))
        self.low = np.zeros((len(MEASURED), num_buckets))
        self.high = np.zeros((len(MEASURED), num_buckets))
        self.low_epoch = np.zeros((len(MEASURED), num_buckets), dtype=np.int64)
        self.high_epoch = np.zeros((len(MEASURED), num_buckets), dtype=np.int64)

    @property
    def used(self) -> int:
        return -(-self.num_epochs // self.width)

    def push(self, block: EpochBlock) -> None:
        capacity = self.first.shape[1]
        while block.last_epoch > capacity * self.width:
            self._merge_neighbours()
        columns = np.stack([np.asarray(getattr(block, name), dtype=np.float64) for name in COLUMNS])
        epochs = np.arange(block.first_epoch, block.last_epoch + 1)
        if self.width == 1:
            self._push_each(columns, epochs)
        else:
            self._push_merged(columns, epochs)
        self.num_epochs = block.last_epoch

    def _push_each(self, columns: Columns, epochs: Epochs) -> None:
        """Put each epoch into a bucket of its own, as all of a short run have."""
        places = slice(epochs[0] - 1, epochs[-1])
        for extreme in (self.first, self.last):
            extreme[:, places] = columns
        for extreme in (self.low, self.high):
            extreme[:, places] = columns[: len(MEASURED)]
        for extreme_epoch in (self.low_epoch, self.high_epoch):
            extreme_epoch[:, places] = epochs

    def _push_merged(self, columns: Columns, epochs: Epochs) -> None:
        buckets = (epochs - 1) // self.width
        starts = np.flatnonzero(np.diff(buckets, prepend=-1))
        ends = np.append(starts[1:], len(epochs)) - 1
        targets = buckets[starts]
        fresh = starts if (epochs[0] - 1) % self.width == 0 else starts[1:]
        self.first[:, buckets[fresh]] = columns[:, fresh]
        self.last[:, targets] = columns[:, ends]
        merged = targets[0] if len(fresh) < len(starts) else None
        for sign, extreme, extreme_epoch in (
            (1.0, self.low, self.low_epoch),
            (-1.0, self.high, self.high_epoch),
        ):
            for index in range(len(MEASURED)):
                values = sign * columns[index]
                best = np.minimum.reduceat(values, starts)
                hits = np.flatnonzero(values == np.repeat(best, ends - starts + 1))
                _, first_hit = np.unique(buckets[hits], return_index=True)
                at = epochs[hits[first_hit]]
                if merged is not None and sign * extreme[index, merged] <= best[0]:
                    best[0] = sign * extreme[index, merged]
                    at[0] = extreme_epoch[index, merged]
                extreme[index, targets] = sign * best
                extreme_epoch[index, targets] = at

    def _merge_neighbours(self) -> None:
        used = self.used
        half = -(-used // 2)
        left = np.arange(half) * 2
        right = np.minimum(left + 1, used - 1)
        self.first[:, :half] = self.first[:, left]
        self.last[:, :half] = self.last[:, right]
        for sign, extreme, extreme_epoch in (
            (1.0, self.low, self.low_epoch),
            (-1.0, self.high, self.high_epoch),
        ):
            take_left = sign * extreme[:, left] <= sign * extreme[:, right]
            extreme[:, :half] = np.where(take_left, extreme[:, left], extreme[:, right])
            extreme_epoch[:, :half] = np.where(take_left, extreme_epoch[:, left], extreme_epoch[:, right])
        self.width *= 2
