"""What rank 0 of a run tells the other ranks in each epoch, in memory that all of them see.

A message to each rank in each epoch would cost more than a short epoch itself: half of a step of a millisecond.
"""

import mmap
import time
from pathlib import Path
from typing import Final

WORD_BYTES: Final = 8
RELEASED, LEARNING_RATE, ENTERED = 0, 1, 2
"""Where the words stand: the last is the first of one for each rank."""
NUM_EAGER_LOOKS: Final = 200
"""The other ranks are usually microseconds behind: so often a rank looks before it sleeps in between."""
SHORTEST_SLEEP_SECONDS: Final = 0.0001
LONGEST_SLEEP_SECONDS: Final = 0.004
"""What a paced or paused run may be late by, and a waiting rank looks up for."""


class ControlWord:
    """The epochs that the ranks may enter, and the learning rate from the newest of them on.

    Only rank 0 writes `release`; each rank writes only its own word of `enter`.
    """

    def __init__(self, path: Path, num_ranks: int) -> None:
        """Open what `create` has made."""
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _num_bytes(num_ranks))
        self._counts = memoryview(self._memory).cast("q")
        self._numbers = memoryview(self._memory).cast("d")
        self._num_ranks = num_ranks

    @staticmethod
    def create(path: Path, num_ranks: int) -> None:
        """Make the memory of a run: no epoch may be entered yet."""
        path.write_bytes(bytes(_num_bytes(num_ranks)))

    @property
    def num_released(self) -> int:
        """Epochs that may be entered; epoch 1 may be once this is 1."""
        return self._counts[RELEASED]

    @property
    def learning_rate(self) -> float:
        """The learning rate of the epoch that was released last."""
        return self._numbers[LEARNING_RATE]

    def release(self, num_epochs: int) -> None:
        """Let every rank enter so many epochs."""
        self._counts[RELEASED] = num_epochs

    def set_learning_rate(self, value: float, num_epochs: int) -> None:
        """Set the learning rate for the epochs after the first `num_epochs`, all of which are released.

        Waits until every rank is in the last of them: on GPUs rank 0 runs ahead of the others, and one that is
        behind must not train it at the new rate.
        """
        for rank in range(1, self._num_ranks):
            self._wait_for(ENTERED + rank, num_epochs)
        self._numbers[LEARNING_RATE] = value

    def enter(self, rank: int, epoch: int) -> float:
        """Wait until an epoch is released, and return its learning rate."""
        self._wait_for(RELEASED, epoch)
        learning_rate = self.learning_rate
        self._counts[ENTERED + rank] = epoch
        return learning_rate

    def _wait_for(self, place: int, count: int) -> None:
        counts, num_looks, seconds = self._counts, 0, SHORTEST_SLEEP_SECONDS
        while counts[place] < count:
            num_looks += 1
            if num_looks < NUM_EAGER_LOOKS:
                time.sleep(0)  # where there are more ranks than cores, the one waited for needs this one's
            else:
                time.sleep(seconds)
                seconds = min(2 * seconds, LONGEST_SLEEP_SECONDS)


def _num_bytes(num_ranks: int) -> int:
    return (ENTERED + num_ranks) * WORD_BYTES
