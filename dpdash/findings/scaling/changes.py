"""What would change a part of a step, as another study that can be measured."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dpdash.core.config import EngineName, bounds
from dpdash.core.errors import N_
from dpdash.core.scaling.plan import StudyPlan
from dpdash.core.scaling.study import Study
from dpdash.core.scaling.waterfall import Part, Waterfall
from dpdash.findings.scaling.sentence import Sentence

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


SHARES_CORES: Final = N_("{places} cores or GPUs are there: more replicas than that take turns.")
SHARES_MEMORY: Final = N_("Wider layers compute more for each byte that memory brings.")
OWN_PYTHON: Final = N_("DDP gives each replica a Python of its own; cores and memory stay shared.")
_ADVICE: Final[Mapping[Part, str]] = {
    Part.SMALL_SHARDS: N_(
        "More samples make each part of the batch larger, and what every operation costs a smaller share."
    ),
    Part.ONE_BACKWARD: N_("With DDP each replica has a backward and an update of its own."),
    Part.COPIES: N_(
        "DDP keeps the model where it is and exchanges gradients only; wider layers give each copy more work."
    ),
    Part.BOOKKEEPING: N_("It hardly grows with the work: wider layers or more samples make it a smaller share."),
    Part.EXCHANGE: N_(
        "More samples give each exchange more work; how much is exchanged, the size of the model decides."
    ),
}
"""What would change a part, but for sharing, of which that depends."""


def advice(part: Part, study: Study, waterfall: Waterfall) -> Sentence:
    """What would change a part of a step."""
    if part is not Part.SHARING:
        return Sentence(_ADVICE[part])
    places = study.num_places(waterfall.engine)
    if waterfall.replicas > places:
        return Sentence(SHARES_CORES, {"places": places})
    return Sentence(SHARES_MEMORY if waterfall.engine is EngineName.DDP else OWN_PYTHON)


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
