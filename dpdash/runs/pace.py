"""How fast a run is to go."""

import math
from dataclasses import dataclass
from typing import Final, Self

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_, SettingError
from dpdash.runs.slots import Lane

SHORTEST_SECONDS: Final = 0.1
LONGEST_SECONDS: Final = 86_400.0
SLOWEST_RATE: Final = 0.01
FASTEST_RATE: Final = 1e6
FASTEST_PACED_RATE: Final = 1000.0
"""Above so many epochs per second a run keeps a core about as busy as at full speed, and waits for such a slot."""

_BETWEEN: Final = N_("{setting} must be between {low} and {high}. Received: {received}. Try {hint}.")


@dataclass(frozen=True)
class Pace:
    """Full speed, a duration for the whole run in seconds, or a rate in epochs per second."""

    seconds: float | None = None
    rate_limit: float | None = None

    @classmethod
    def full_speed(cls) -> Self:
        return cls()

    @classmethod
    def lasting(cls, seconds: float) -> Self:
        """A pace at which the whole run takes so many seconds.

        Raises:
            SettingError: when that is not between `SHORTEST_SECONDS` and `LONGEST_SECONDS`.
        """
        return cls(seconds=_checked("pace_seconds", seconds, SHORTEST_SECONDS, LONGEST_SECONDS, hint=20))

    @classmethod
    def rate(cls, epochs_per_second: float) -> Self:
        """A pace of so many epochs per second.

        Raises:
            SettingError: when that is not between `SLOWEST_RATE` and `FASTEST_RATE`.
        """
        return cls(
            rate_limit=_checked("epochs_per_second", epochs_per_second, SLOWEST_RATE, FASTEST_RATE, hint=25)
        )

    def epochs_per_second(self, config: RunConfig) -> float | None:
        """The most epochs per second that a run with these settings may train; None for no limit."""
        return config.epochs / self.seconds if self.seconds is not None else self.rate_limit

    def lane(self, config: RunConfig) -> Lane:
        """The kind of slot that a run at this pace needs."""
        rate = self.epochs_per_second(config)
        return Lane.PACED if rate is not None and rate <= FASTEST_PACED_RATE else Lane.FULL_SPEED


def _checked(setting: str, value: float, low: float, high: float, hint: float) -> float:
    if not (math.isfinite(value) and low <= value <= high):
        raise SettingError(setting, _BETWEEN, low=low, high=high, received=value, hint=hint)
    return float(value)
