"""How often something may be done: so many times at once, and once more whenever some seconds have passed."""

import threading
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many times are free at once, and in how many seconds one more becomes free."""

    at_once: int
    seconds: float

    def shared_by(self, number: int) -> "Allowance":
        """What is just enough for so many to use theirs up."""
        return Allowance(self.at_once * number, self.seconds / number)


class RateLimiter:
    """What each of some names has left of an allowance; names that have all of theirs take no memory.

    Kept is one moment a name, at which it will have all of it again. Safe for threads.
    """

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._lock = threading.Lock()
        self._whole_at: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._whole_at)

    def seconds_to_wait(self, name: Hashable, now: float, number: int = 1) -> float:
        """Seconds until the name has so many; 0 when it has them. `now` never jumps."""
        missing = max(0.0, self._whole_at.get(name, now) - now)
        return max(0.0, missing + (number - self._allowance.at_once) * self._allowance.seconds)

    def take(self, name: Hashable, now: float, number: int = 1) -> None:
        """Use so many up, also more than there are: then the next have longer to wait."""
        with self._lock:
            for other in [other for other, whole_at in self._whole_at.items() if whole_at <= now]:
                del self._whole_at[other]
            self._whole_at[name] = self._whole_at.get(name, now) + number * self._allowance.seconds
