"""What a study says, from its own measurements: how well replicas scale, what limits them, what would change it.

A sentence is a template with its numbers, so that it can be translated and its numbers written as the reader's
language writes them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from dpdash.core.config import EngineName
from dpdash.core.errors import N_
from dpdash.core.scaling.curve import Curve, CurvePoint
from dpdash.core.scaling.plan import Point, ScalingMode
from dpdash.core.scaling.study import Measurement, Study
from dpdash.core.steps import Phase
from dpdash.findings.scaling.curves import phase_seconds
from dpdash.findings.scaling.fits import Fit, fit

NEAR_LINEAR_EFFICIENCY: Final = 0.8
"""Below, a fifth or more of the replicas is lost: nobody would call that near-linear."""
SAME_SPEED: Final = 0.05
"""Speed-ups within 5 % of 1, or within two standard errors of it, count as no gain."""
WORTH_NAMING: Final = 0.05
"""What takes less than 5 % of a step limits nothing."""
SMALLEST_SHARE: Final = 0.005
COPYING: Final = (Phase.SCATTER, Phase.REPLICATE, Phase.GATHER, Phase.REDUCE)
ALONE: Final = (Phase.LOSS, Phase.OPTIMIZER)


class ScalingKind(StrEnum):
    """How well it scales."""

    NEAR_LINEAR = "near_linear"
    PARTIAL = "partial"
    NO_GAIN = "no_gain"
    SLOWER = "slower"


class Limit(StrEnum):
    """What keeps replicas from being as fast as their number."""

    CORES = "cores"
    COPYING = "copying"
    FIRST_DEVICE = "first_device"
    OVERHEAD = "overhead"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A template and its numbers."""

    template: str
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScalingVerdict:
    """What can be said about one engine."""

    engine: EngineName
    kind: ScalingKind
    limit: Limit
    sentences: tuple[Sentence, ...]
    """The first one says it all in a line, the others why."""


def verdict(study: Study, curve: Curve) -> ScalingVerdict | None:
    """What a curve says; None while nothing but one device is measured."""
    parallel = [point for point in curve.points if point.replicas > 1]
    if not parallel:
        return None
    fair = [point for point in parallel if not point.is_oversubscribed]
    judged = (fair or parallel)[-1]
    kind = _kind(judged, fair or parallel)
    limit, why = _limit(study, curve, judged)
    sentences = [Sentence(_KINDS[kind], _numbers(judged))]
    if kind is ScalingKind.NO_GAIN:
        sentences.append(Sentence(WITHIN_NOISE))
    sentences += why
    sentences += _beyond(study, curve, judged, parallel[-1])
    sentences += _law(fit(curve, study.plan.mode))
    if curve.emulated:
        sentences.append(Sentence(EMULATED))
    return ScalingVerdict(curve.engine, kind, limit, tuple(sentences))


def where_it_pays(curves: tuple[Curve, ...], engine: EngineName) -> Sentence | None:
    """From which width on replicas of an engine are faster than one device; None unless widths are compared."""
    best = {
        curve.hidden_width: max(parallel, key=lambda point: point.speed_up.median)
        for curve in curves
        if curve.engine is engine and (parallel := [point for point in curve.points if point.replicas > 1])
    }
    if len(best) < 2:
        return None
    paying = sorted(width for width, point in best.items() if point.speed_up.median > 1 + _margin(point))
    if not paying:
        return Sentence(NEVER_PAYS, {"low": min(best), "high": max(best)})
    width = paying[0]
    return Sentence(PAYS_FROM, {"width": width, **_numbers(best[width])})


EMULATED: Final = N_(
    "Emulated: threads on the CPU stand in for GPUs. The algorithm is DataParallel's, the figures are this CPU's."
)
NEVER_PAYS: Final = N_("At no width measured, {low} to {high}, are replicas faster than one device.")
AT_WIDEST: Final = N_("At width {width}, the widest:")
PAYS_FROM: Final = N_(
    "Parallelism begins to pay at width {width}: there, {replicas} replicas are {speed_up} times as fast as one "
    "device."
)
_KINDS: Final[Mapping[ScalingKind, str]] = {
    ScalingKind.NEAR_LINEAR: N_(
        "Near-linear up to {replicas} replicas: {speed_up} times as fast as one device, {percent} % of the ideal."
    ),
    ScalingKind.PARTIAL: N_(
        "{replicas} replicas are {speed_up} times as fast as one device, {percent} % of the ideal."
    ),
    ScalingKind.NO_GAIN: N_("{replicas} replicas are not faster here: {speed_up} times one device."),
    ScalingKind.SLOWER: N_("{replicas} replicas are {times} times slower than one device."),
}
WITHIN_NOISE: Final = N_("Whether they are a little faster or slower is lost in the noise of the measurement.")
CORES: Final = N_(
    "What limits is the machine: {replicas} replicas share {places} cores or GPUs (oversubscribed). Take at most "
    "{places} replicas, or a machine with more of them."
)
COPIES: Final = N_(
    "What limits is copying: scatter, replicate, gather and the sum of gradients take {percent} % of a step. "
    "Wider layers or more samples give each copy more work; DDP keeps the model where it is and copies gradients "
    "only."
)
REDUCES: Final = N_(
    "What limits is the sum of gradients over all replicas, {percent} % of a step. More samples a replica give "
    "each exchange more work."
)
FIRST_DEVICE: Final = N_(
    "What limits is the first device: the loss and the optimizer, which it does alone, take {percent} % of a "
    "step. With DDP each replica has its own loss."
)
REPEATED: Final = N_(
    "What limits is work that every replica repeats: loss and optimizer take {percent} % of a step. More samples "
    "a replica make it a smaller share."
)
PYTHON: Final = N_(
    "What limits is Python and waiting for each other: {percent} % of a step is neither split work nor copying. "
    "More samples or wider layers make it a smaller share; DDP gives each replica a Python of its own."
)
PYTHON_OF_DDP: Final = N_(
    "What limits is Python and waiting for each other: {percent} % of a step is neither split work nor copying. "
    "More samples or wider layers make it a smaller share."
)
NOT_SPLIT: Final = N_(
    "{percent} % of a step of {milliseconds} ms is not split work but copying, Python and waiting. More samples "
    "or wider layers make it a smaller share."
)
_WHY: Final[Mapping[Limit, tuple[str, str]]] = {
    Limit.COPYING: (COPIES, REDUCES),
    Limit.FIRST_DEVICE: (FIRST_DEVICE, REPEATED),
    Limit.OVERHEAD: (PYTHON, PYTHON_OF_DDP),
}
"""For the engines with one process, and for DDP."""
BEYOND: Final = N_(
    "Oversubscribed beyond {places} replicas, which is what this machine has cores or GPUs for: {replicas} are "
    "{speed_up} times as fast as one device."
)
AMDAHL: Final = N_(
    "Amdahl's law fits with a serial share of {percent} %: however many replicas, never more than {most} times."
)
AMDAHL_NO_SHARE: Final = N_("Amdahl's law fits with no serial share that could be measured.")
GUSTAFSON: Final = N_("Gustafson's law fits with a serial share of {percent} %.")
NO_LAW: Final = N_("No serial share from 0 to 100 % describes it: both laws know no speed-up below 1.")


def _margin(point: CurvePoint) -> float:
    return max(SAME_SPEED, 2 * point.speed_up.standard_error)


def _kind(judged: CurvePoint, fair: list[CurvePoint]) -> ScalingKind:
    speed_up, margin = judged.speed_up.median, _margin(judged)
    if speed_up < 1 - margin:
        return ScalingKind.SLOWER
    if speed_up <= 1 + margin:
        return ScalingKind.NO_GAIN
    worst = min(point.efficiency for point in fair)
    return ScalingKind.NEAR_LINEAR if worst >= NEAR_LINEAR_EFFICIENCY else ScalingKind.PARTIAL


def _numbers(point: CurvePoint) -> dict[str, float]:
    speed_up = point.speed_up.median
    return {
        "replicas": point.replicas,
        "speed_up": speed_up,
        "times": 1 / speed_up,
        "percent": 100 * point.efficiency,
    }


def _limit(study: Study, curve: Curve, judged: CurvePoint) -> tuple[Limit, list[Sentence]]:
    if judged.is_oversubscribed:
        places = study.num_places(curve.engine)
        return Limit.CORES, [Sentence(CORES, {"replicas": judged.replicas, "places": places})]
    one_device = curve.points[0].step_seconds
    ideal = one_device / judged.replicas if study.plan.mode is ScalingMode.STRONG else one_device
    lost = max(0.0, 1 - ideal / judged.step_seconds)
    if lost < WORTH_NAMING:
        return Limit.NOTHING, []
    shares = _shares(study.of(Point(curve.engine, judged.replicas, curve.hidden_width)), lost)
    if shares is None:
        values = {"percent": 100 * lost, "milliseconds": 1000 * judged.step_seconds}
        return Limit.OVERHEAD, [Sentence(NOT_SPLIT, values)]
    limit = max(shares, key=shares.__getitem__)
    template = _WHY[limit][curve.engine is EngineName.DDP]
    return limit, [Sentence(template, {"percent": 100 * shares[limit]})]


def _shares(measured: tuple[Measurement, ...], lost: float) -> dict[Limit, float] | None:
    """Shares of a step by what takes them; None where no step was taken apart."""
    seconds = phase_seconds(measured)
    whole = [one.traced_seconds for one in measured if one.traced_seconds]
    if not seconds or not whole:
        return None
    mean = sum(whole) / len(whole)
    copying = sum(seconds.get(phase, 0.0) for phase in COPYING) / mean
    alone = sum(seconds.get(phase, 0.0) for phase in ALONE) / mean
    return {
        Limit.COPYING: copying,
        Limit.FIRST_DEVICE: alone,
        Limit.OVERHEAD: max(0.0, lost - copying - alone),
    }


def _beyond(study: Study, curve: Curve, judged: CurvePoint, last: CurvePoint) -> Iterator[Sentence]:
    if last.is_oversubscribed and not judged.is_oversubscribed:
        yield Sentence(BEYOND, {"places": study.num_places(curve.engine), **_numbers(last)})


def _law(found: Fit | None) -> Iterator[Sentence]:
    if found is None:
        return
    share = {"percent": 100 * found.serial_share}
    if not found.describes:
        yield Sentence(NO_LAW)
    elif found.mode is ScalingMode.WEAK:
        yield Sentence(GUSTAFSON, share)
    elif found.serial_share < SMALLEST_SHARE:
        yield Sentence(AMDAHL_NO_SHARE)
    else:
        yield Sentence(AMDAHL, share | {"most": 1 / found.serial_share})


def verdicts(study: Study, curves: tuple[Curve, ...]) -> tuple[ScalingVerdict, ...]:
    """One verdict for each engine, at the widest width measured; with a map, where replicas begin to pay."""
    widest = {curve.engine: curve for curve in sorted(curves, key=lambda curve: curve.hidden_width)}
    found = []
    for engine in study.plan.engines:
        said = verdict(study, widest[engine]) if engine in widest else None
        if said is not None:
            begins = where_it_pays(curves, engine)
            at = Sentence(AT_WIDEST, {"width": widest[engine].hidden_width})
            sentences = said.sentences if begins is None else (begins, at, *said.sentences)
            found.append(ScalingVerdict(said.engine, said.kind, said.limit, sentences))
    return tuple(found)
