"""Which browsers are here and how often their pages are refreshed: the more there are, the less often."""

import math
import threading
from collections.abc import Callable
from typing import Final

from dpdash.runs.presence import Presence

FEW_PAGES: Final = 10
"""So many pages are refreshed as often as the server's settings say."""
SOME_PAGES: Final = 20
SOME_PAGES_SECONDS: Final = 0.5
PAGES_PER_SECOND: Final = 60
"""In a crowd, at most so many refreshes a second in all: each costs a few milliseconds of one core."""
SHRINK_AT: Final = 0.8
"""Only with so much less than a step's pages does the interval fall again, so that one page does not flap it."""


def shortest_interval(num_pages: float) -> float:
    """Seconds that must lie between two refreshes of one page when so many pages are open."""
    if num_pages <= FEW_PAGES:
        return 0.0
    if num_pages <= SOME_PAGES:
        return SOME_PAGES_SECONDS
    return float(math.ceil(num_pages / PAGES_PER_SECOND))


def next_interval(interval: float, num_pages: int) -> float:
    """The shortest interval after a page opened or closed, from the one before."""
    return max(shortest_interval(num_pages), min(interval, shortest_interval(num_pages / SHRINK_AT)))


class Visitors:
    """The browsers and pages that are here; safe for threads. `refresh_seconds` is read without a lock."""

    def __init__(self, grace_seconds: float, usual_seconds: float, clock: Callable[[], float]) -> None:
        """`usual_seconds` lie between two refreshes of a few pages; `clock` never jumps."""
        self._lock = threading.Lock()
        self._presence = Presence(grace_seconds)
        self._usual_seconds = usual_seconds
        self._shortest_seconds = 0.0
        self._clock = clock

    @property
    def refresh_seconds(self) -> float:
        """Seconds between two refreshes of a page."""
        return max(self._usual_seconds, self._shortest_seconds)

    @property
    def num_pages(self) -> int:
        with self._lock:
            return self._presence.num_pages

    @property
    def num_browsers(self) -> int:
        with self._lock:
            return self._presence.num_browsers

    def opened(self, owner: str) -> None:
        """A browser opened a page."""
        with self._lock:
            self._presence.opened(owner)
            self._resize()

    def closed(self, owner: str) -> None:
        """A page of a browser is gone."""
        with self._lock:
            self._presence.closed(owner, self._clock())
            self._resize()

    def seen(self, owner: str) -> None:
        """A browser steers a run."""
        with self._lock:
            self._presence.seen(owner, self._clock())

    def take_abandoned(self) -> tuple[str, ...]:
        """The browsers that are gone for longer than the grace period, each of them once."""
        with self._lock:
            return self._presence.take_abandoned(self._clock())

    def _resize(self) -> None:
        self._shortest_seconds = next_interval(self._shortest_seconds, self._presence.num_pages)
