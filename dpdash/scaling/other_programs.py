"""What other programs take of the cores while something is measured."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import psutil

from dpdash.core.cores import ROOT, num_cores, quotas, seconds_in_group, seen_cores
from dpdash.training.hardware import cpu_seconds


@dataclass(frozen=True, slots=True)
class CoreSeconds:
    """What the cores that this process may use have done until a moment, in seconds of all of them together."""

    at: float
    """By a clock that never goes back, in seconds."""
    own: float
    """Done by this process and by those that it started."""
    all: float | None
    """Done by whichever program; None where that is not known."""

    @classmethod
    def now(cls) -> Self:
        """Until this moment."""
        return cls(time.monotonic(), _own_seconds(), _all_seconds())

    def others_until(self, later: Self, cores: int) -> float | None:
        """The share of so many cores, 0 to 1, that other programs took from this moment to a later one."""
        passed = (later.at - self.at) * cores
        if self.all is None or later.all is None or passed <= 0:
            return None
        others = (later.all - self.all) - (later.own - self.own)
        return min(1.0, max(0.0, others / passed))


class OtherPrograms:
    """Tells what other programs took since it was asked before."""

    def __init__(self) -> None:
        self._before = CoreSeconds.now()

    def share(self) -> float | None:
        """Of the cores that this process may use, 0 to 1; None where that is not known."""
        before, self._before = self._before, CoreSeconds.now()
        return before.others_until(self._before, num_cores())


def _own_seconds() -> float:
    this = psutil.Process()
    seconds = 0.0
    for process in (this, *this.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            # One that ended has left its time to the one that started it.
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def _all_seconds() -> float | None:
    # Under a quota the cores are busy with what does not concern this process: that has its share all the same.
    if any(quota < len(seen_cores()) for quota in quotas(ROOT)):
        return seconds_in_group(ROOT)
    return cpu_seconds(seen_cores()).busy
