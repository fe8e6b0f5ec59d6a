"""What rank 0 of a run tells the other ranks in each epoch, in memory that all of them see.

A message to each rank in each epoch would cost more than a short epoch itself: half of a step of a millisecond.
"""

import mmap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

WORD_BYTES: Final = 8
RELEASED, LEARNING_RATE, TRACES, ENTERED = range(4)
"""Where the words stand: the last is the first of one for each rank."""
NUM_EAGER_LOOKS: Final = 200
"""The other ranks are usually microseconds behind: so often a rank looks before it sleeps in between."""
SHORTEST_SLEEP_SECONDS: Final = 0.0001
LONGEST_SLEEP_SECONDS: Final = 0.004
"""What a paced or paused run may be late by, and a waiting rank looks up for."""


class ControlWord:
    """The epochs that the ranks may enter, the learning rate from the newest of them on, and the traces between.

    Only rank 0 writes `release` and `ask_for_trace`; each rank writes only its own word of `enter`.
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
    def learning_rate(self) -> float:
        """The learning rate of the epoch that was released last."""
        return self._numbers[LEARNING_RATE]

    def release(self, num_epochs: int) -> None:
        """Let every rank enter so many epochs."""
        self._counts[RELEASED] = num_epochs

    def ask_for_trace(self) -> None:
        """Have every rank take part in a trace before it enters an epoch that is not released yet.

        Rank 0 must take part before it releases one.
        """
        self._counts[TRACES] += 1

    def set_learning_rate(self, value: float, num_epochs: int) -> None:
        """Set the learning rate for the epochs after the first `num_epochs`, all of which are released.

        Waits until every rank is in the last of them: on GPUs rank 0 runs ahead of the others, and one that is
        behind must not train it at the new rate.
        """
        places = range(ENTERED + 1, ENTERED + self._num_ranks)
        _wait_until(lambda: all(self._counts[place] >= num_epochs for place in places))
        self._numbers[LEARNING_RATE] = value

    def enter(self, rank: int, epoch: int, num_traces: int) -> float | None:
        """Wait until an epoch is released, and return its learning rate.

        None where a step is to be traced before that: where more than `num_traces` have been asked for.
        """
        counts = self._counts
        _wait_until(lambda: counts[RELEASED] >= epoch or counts[TRACES] > num_traces)
        # Looked at again: what was released before a trace is asked for is trained before it is taken.
        if counts[RELEASED] < epoch:
            return None
        learning_rate = self.learning_rate
        counts[ENTERED + rank] = epoch
        return learning_rate


def _wait_until(holds: Callable[[], bool]) -> None:
    num_looks, seconds = 0, SHORTEST_SLEEP_SECONDS
    while not holds():
        num_looks += 1
        if num_looks < NUM_EAGER_LOOKS:
            time.sleep(0)  # where there are more ranks than cores, the one waited for needs this one's
        else:
            time.sleep(seconds)
            seconds = min(2 * seconds, LONGEST_SLEEP_SECONDS)


def _num_bytes(num_ranks: int) -> int:
    return (ENTERED + num_ranks) * WORD_BYTES
