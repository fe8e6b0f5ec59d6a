"""How many may be at something at the same time: each browser a few, and all together some more."""

import threading
from collections import Counter
from collections.abc import Callable

from dpdash.core.errors import N_, DpdashError


class BusyError(DpdashError):
    """As many as may are at it already."""


class Turns:
    """Safe for threads; remembers only who is at it now."""

    def __init__(self, each: int, together: int) -> None:
        self._each = each
        self._together = together
        self._lock = threading.Lock()
        self._at_it: Counter[str] = Counter()

    def take(self, name: str) -> Callable[[], None]:
        """Begin; what comes back is to be called at the end, and may be called again without harm.

        Raises:
            BusyError: when there is no room.
        """
        with self._lock:
            if self._at_it[name] >= self._each or self._at_it.total() >= self._together:
                raise BusyError(
                    N_("The server is busy with {number} such files. Wait until one is done, and try again."),
                    number=self._at_it.total(),
                )
            self._at_it[name] += 1
        ended = threading.Event()

        def end() -> None:
            with self._lock:
                if not ended.is_set():
                    ended.set()
                    self._at_it[name] -= 1
                    self._at_it += Counter()  # forgets names that are done

        return end
