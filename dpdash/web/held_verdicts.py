"""What is said of each run that trains, held long enough to be read, the same on every page of this process."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dpdash.core.events import RunStatus
from dpdash.findings.run import Verdict
from dpdash.runs.service import RunSnapshot

HELD_SECONDS: Final = 2.0
MOST_HELD: Final = 256
"""Runs: more than a room trains at once; of those that are over nothing is held."""

Judge = Callable[[], Verdict | None]


@dataclass(frozen=True, slots=True)
class _Held:
    """A verdict, since when it is held, and how often the learning rate had been moved."""

    verdict: Verdict
    since: float
    num_changes: int


class HeldVerdicts:
    """The verdict of each run that trains; safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds and never jumps."""
        self._clock = clock
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def of(self, shown: RunSnapshot, judge: Judge) -> Verdict | None:
        """What was said of a run less than two seconds ago, and else what `judge` says now.

        What somebody does is answered at once: a run that stands still, has ended, or was given another learning
        rate is judged anew.
        """
        num_changes = len(shown.history.learning_rate_changes)
        with self._lock:
            held, now = self._held.get(shown.run_id), self._clock()
            is_training = shown.status is RunStatus.RUNNING
            if held and is_training and held.num_changes == num_changes and now - held.since < HELD_SECONDS:
                return held.verdict
            found = judge()
            self._held.pop(shown.run_id, None)
            if found is not None and is_training:
                self._held[shown.run_id] = _Held(found, now, num_changes)
            while len(self._held) > MOST_HELD:
                self._held.popitem(last=False)
            return found
