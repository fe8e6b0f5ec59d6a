"""What makes a step longer than an ideal split of it, cause by cause, in milliseconds that add up to the step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dpdash.core.errors import N_
from dpdash.core.scaling.waterfall import Part, Waterfall
from dpdash.findings.scaling.sentence import Sentence, Values
from dpdash.findings.scaling.shown import shown_parts

STEP: Final = N_(
    "A step takes {milliseconds} ms, and {alone} ms on {device}. Split ideally it would take {ideal} ms; the rest "
    "is:"
)
STEP_OF_BATCHES: Final = N_(
    "A step takes {milliseconds} ms; on {device}, the batch of one replica takes {ideal} ms. The rest is:"
)
_CAUSES: Final[Mapping[Part, str]] = {
    Part.SMALL_SHARDS: N_(
        "{milliseconds} ms small shards: a part of the batch alone on one device takes more than its share."
    ),
    Part.SHARING: N_(
        "{milliseconds} ms sharing: {replicas} parts at once share cores and memory and, in one process, Python."
    ),
    Part.ONE_BACKWARD: N_(
        "{milliseconds} ms one backward: one thread goes back over all outputs, and the first device updates the "
        "model alone."
    ),
    Part.COPIES: N_(
        "{milliseconds} ms copies: the batch is scattered, the model copied, the outputs gathered, in every step."
    ),
    Part.BOOKKEEPING: N_(
        "{milliseconds} ms bookkeeping: DDP fills buckets with gradients and watches which of them are full."
    ),
    Part.EXCHANGE: N_(
        "{milliseconds} ms exchange not hidden: the all-reduce of the gradients, as far as backward does not hide "
        "it."
    ),
}
LESS_THAN: Final = N_("{milliseconds} ms {part}: less than {bound} ms, not to be told from nothing.")
SAVES: Final = N_("{milliseconds} ms {part}: the step is faster with it.")


@dataclass(frozen=True, slots=True)
class Cause:
    """A part of a step beside the ideal, and what it is."""

    part: Part
    sentence: Sentence
    costs: bool
    """Whether it makes the step longer, as far as its turns tell."""


def whole(waterfall: Waterfall) -> Sentence:
    """The step that the ideal and the causes add up to."""
    shown = shown_parts(waterfall)
    return Sentence(
        STEP if waterfall.batches == 1 else STEP_OF_BATCHES,
        {
            "milliseconds": shown.step,
            "alone": shown.written(waterfall.one_device),
            "device": waterfall.device,
            "ideal": shown.parts[Part.IDEAL],
        },
    )


def causes(waterfall: Waterfall) -> tuple[Cause, ...]:
    """All parts beside the ideal: what costs most first, then what saves time, then what is lost in noise."""
    parts = waterfall.parts
    beside = [part for part in parts if part is not Part.IDEAL]
    beside.sort(key=lambda part: (parts[part].is_lost_in_noise, -parts[part].nanoseconds))
    return tuple(_cause(waterfall, part) for part in beside)


def _cause(waterfall: Waterfall, part: Part) -> Cause:
    shown, duration = shown_parts(waterfall), waterfall.parts[part]
    is_nothing = duration.is_lost_in_noise or not duration.nanoseconds
    costs = duration.nanoseconds > 0 and not is_nothing
    template = _CAUSES[part] if costs else LESS_THAN if is_nothing else SAVES
    values: Values = {
        "milliseconds": shown.parts[part],
        "bound": shown.written(duration.bound),
        "replicas": waterfall.replicas,
        "part": part,
    }
    return Cause(part, Sentence(template, values), costs)
