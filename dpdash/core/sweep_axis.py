"""A setting that a sweep searches over, with its values or its range. Plain values."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from dpdash.core.config import EngineName, RunConfig, bounds
from dpdash.core.errors import N_, ConfigError, SettingError

SEARCHABLE: Final = (
    "learning_rate",
    "optimizer",
    "global_batch_size",
    "samples",
    "noise",
    "seed",
    "epochs",
    "hidden_width",
    "hidden_depth",
    "replicas",
    "warmup_epochs",
    "bucket_cap_mb",
    "accumulation_steps",
)
"""The settings that a sweep can search over."""
MOST_VALUES: Final = 30
"""Of one setting, so that a map of two of them can be read."""
RANGE_SIGN: Final = ".."
DECADE: Final = 10
"""A range that spans this much is searched by its logarithm."""

Value = int | float | str
"""Of a setting; an optimizer by its name."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A setting that is searched over: the values that it may have, or else a range."""

    setting: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    """Both ends of the range; 0 where there are values."""

    @classmethod
    def parse(cls, setting: str, text: str) -> Self:
        """A setting with its values as a person types them: `0.01, 0.1`, or a range, `0.001..1`.

        Raises:
            ConfigError: with one sentence for everything that is not allowed.
        """
        if setting not in SEARCHABLE:
            raise ConfigError((not_searchable(setting),))
        parts = text.split(RANGE_SIGN) if RANGE_SIGN in text else text.split(",")
        if len(parts) > MOST_VALUES:
            raise ConfigError((too_many_values(setting, len(parts)),))
        given = tuple(dict.fromkeys(_parsed(setting, part.strip()) for part in parts if part.strip()))
        if RANGE_SIGN not in text:
            return cls(setting, given)
        numbers = [float(value) for value in given if not isinstance(value, str)]
        if len(parts) != 2 or len(numbers) != 2 or numbers[0] >= numbers[1]:
            raise ConfigError((_bad_range(setting, text),))
        return cls(setting, low=numbers[0], high=numbers[1])

    @property
    def is_range(self) -> bool:
        return not self.values

    @property
    def is_whole(self) -> bool:
        """Whether it has whole numbers only."""
        return self.setting not in ("learning_rate", "noise", "optimizer", "bucket_cap_mb")

    @property
    def is_number(self) -> bool:
        return self.setting != "optimizer"

    @property
    def is_log(self) -> bool:
        """Whether it is best looked at by its logarithm: it spans a decade or more, above 0."""
        low, high = self._numeric_extent()
        return low > 0 and high >= DECADE * low

    @property
    def extremes(self) -> tuple[Value, ...]:
        """The values that can break a rule if any can."""
        if self.is_range:
            return self._whole(self.low), self._whole(self.high)
        if not self.is_number:
            return self.values[:1]
        return tuple({min(self.values), max(self.values)})

    def _numeric_extent(self) -> tuple[float, float]:
        if self.is_range:
            return self.low, self.high
        numbers = [float(value) for value in self.values if not isinstance(value, str)]
        return (min(numbers), max(numbers)) if numbers else (0.0, 0.0)

    def _whole(self, number: float) -> Value:
        return int(number) if self.is_whole else number


def not_searchable(setting: str) -> SettingError:
    """That a setting is none that a sweep can search over."""
    return SettingError(
        setting,
        N_("A sweep cannot search over {setting}. The settings that it can search over are: {choices}."),
        choices=", ".join(SEARCHABLE),
    )


def too_many_values(setting: str, received: int) -> SettingError:
    """That a setting has more values than a sweep can have."""
    return SettingError(
        setting,
        N_("{setting} can have at most {limit} values in a sweep. Received: {received}. Try a range."),
        limit=MOST_VALUES,
        received=received,
    )


def _parsed(setting: str, text: str) -> Value:
    """One value of a setting, whatever the others are."""
    others = {"samples": int(bounds("samples")[1]), "engine": EngineName.DDP}
    value = getattr(RunConfig.parse({**others, setting: text}), setting)
    return value.value if isinstance(value, StrEnum) else value


def _bad_range(setting: str, text: str) -> SettingError:
    return SettingError(
        setting,
        N_("A range of {setting} has a lower and a higher end, as in 1..10. Received: {received}."),
        received=text.strip()[:40],
    )
