"""What would change a part of a step, as another study that can be measured."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dpdash.core.config import EngineName, bounds
from dpdash.core.scaling.plan import StudyPlan
from dpdash.core.scaling.study import Study
from dpdash.core.scaling.waterfall import Part, Waterfall

WIDE: Final = 512
"""Units of a layer whose products take longer than what starts them."""
MORE_SAMPLES: Final = 10
"""Times as many."""
MOST: Final = 2
"""Changes that are worth a person's choice."""


@dataclass(frozen=True, slots=True)
class Change:
    """A setting of a study, and its value."""

    setting: str
    """`hidden_width`, `samples`, `replicas` or `engine`."""
    value: int | EngineName

    def of(self, plan: StudyPlan) -> StudyPlan:
        """A plan with this changed.

        Raises:
            ConfigError: when there is no such plan.
        """
        changed: Mapping[str, Any] = {
            "hidden_width": {"hidden_widths": (self.value,)},
            "samples": {"samples": self.value},
            "replicas": {"replicas": self.value, "counts": None},
            "engine": {"engines": (self.value,)},
        }
        return StudyPlan.parse(plan.model_dump() | changed[self.setting])


_Candidates = Callable[[Study, Waterfall], Iterator[Change]]


def changes_for(part: Part, study: Study, waterfall: Waterfall) -> tuple[Change, ...]:
    """What would make a part smaller, or a smaller share of a step; what promises most first, perhaps none."""
    found = (change for candidates in _CHANGES[part] for change in candidates(study, waterfall))
    return tuple(found)[:MOST]


def _width(study: Study, waterfall: Waterfall) -> Iterator[Change]:
    """A straight line has no width."""
    width = waterfall.hidden_width
    wider = WIDE if width < WIDE else 2 * width
    if study.plan.hidden_depth and wider <= bounds("hidden_width")[1]:
        yield Change("hidden_width", wider)


def _samples(study: Study, _waterfall: Waterfall) -> Iterator[Change]:
    more = MORE_SAMPLES * study.plan.samples
    if more <= bounds("samples")[1]:
        yield Change("samples", more)


def _ddp(study: Study, waterfall: Waterfall) -> Iterator[Change]:
    if waterfall.engine is not EngineName.DDP and EngineName.DDP not in study.plan.engines:
        yield Change("engine", EngineName.DDP)


def _places(study: Study, waterfall: Waterfall) -> Iterator[Change]:
    """No more replicas than there is to run them on."""
    places = study.num_places(waterfall.engine)
    if 2 <= places < waterfall.replicas:
        yield Change("replicas", places)


_CHANGES: Final[Mapping[Part, tuple[_Candidates, ...]]] = {
    Part.SMALL_SHARDS: (_samples, _width),
    Part.SHARING: (_places, _ddp, _width),
    Part.ONE_BACKWARD: (_ddp, _width),
    Part.COPIES: (_ddp, _width, _samples),
    Part.BOOKKEEPING: (_width, _samples),
    Part.EXCHANGE: (_samples, _width),
}
