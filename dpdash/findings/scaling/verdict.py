"""What a study says, from its own measurements: how fast replicas are, what makes them so, what would change it.

A sentence is a template with its numbers, so that it can be translated and its numbers written as the reader's
language writes them.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from dpdash.core.config import EngineName
from dpdash.core.errors import N_
from dpdash.core.scaling.curve import Curve, CurvePoint, Spread
from dpdash.core.scaling.plan import ScalingMode
from dpdash.core.scaling.study import AnyStudy, Study
from dpdash.core.scaling.waterfall import Device, Waterfall
from dpdash.findings.scaling.causes import Cause, causes, whole
from dpdash.findings.scaling.changes import Change, advice, changes_for
from dpdash.findings.scaling.fits import Fit, fit
from dpdash.findings.scaling.parts import waterfalls
from dpdash.findings.scaling.sentence import Sentence, Values
from dpdash.findings.speed_up import ERRORS, LEAST_TURNS

NEAR_LINEAR_EFFICIENCY: Final = 0.8
"""Below, a fifth or more of the replicas is lost: nobody would call that near-linear."""
SAME_SPEED: Final = 0.05
"""Speed-ups within 5 % of 1, or within two standard errors of it, count as no gain."""
SMALLEST_SHARE: Final = 0.005
WORTH_SAYING: Final = 0.05
"""What other programs take of the cores: less is the machine's own housekeeping."""


class ScalingKind(StrEnum):
    """How well it scales."""

    NEAR_LINEAR = "near_linear"
    PARTIAL = "partial"
    NO_GAIN = "no_gain"
    SLOWER = "slower"
    NOISY = "noisy"


@dataclass(frozen=True, slots=True)
class ScalingVerdict:
    """What can be said about one engine."""

    engine: EngineName
    kind: ScalingKind
    headline: tuple[Sentence, ...]
    """How fast it is, in a line."""
    causes: tuple[Cause, ...] = ()
    """What makes a step longer than an ideal split, the largest first; then what is lost in noise."""
    step: Sentence | None = None
    """The step that the causes add up to."""
    advice: tuple[Sentence, ...] = ()
    """What would change the largest cause."""
    changes: tuple[Change, ...] = ()
    """Of that, what can be measured."""
    notes: tuple[Sentence, ...] = ()

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """All of it."""
        step = () if self.step is None else (self.step,)
        return (*self.headline, *step, *(cause.sentence for cause in self.causes), *self.advice, *self.notes)


def verdicts(study: Study, curves: tuple[Curve, ...]) -> tuple[ScalingVerdict, ...]:
    """One verdict for each engine, at the widest width measured."""
    widest = {curve.engine: curve for curve in sorted(curves, key=lambda curve: curve.hidden_width)}
    found = (verdict(study, widest[engine]) for engine in study.plan.engines if engine in widest)
    return tuple(said for said in found if said is not None)


def verdict(study: Study, curve: Curve) -> ScalingVerdict | None:
    """What a curve says; None while nothing but one device is measured."""
    parallel = [point for point in curve.points if point.replicas > 1]
    if not parallel:
        return None
    clear = [point for point in parallel if not point.is_noisy]
    if not clear:
        return ScalingVerdict(
            curve.engine, ScalingKind.NOISY, (_noisy(parallel[-1], study.device),), notes=_quieter(study)
        )
    fair = [point for point in clear if not point.is_oversubscribed]
    judged = (fair or clear)[-1]
    kind = _kind(judged, fair or clear)
    waterfall = _waterfall(study, curve, judged)
    said = ScalingVerdict(
        curve.engine,
        kind,
        tuple(_headline(study, kind, judged, waterfall)),
        notes=tuple(_notes(study, curve, judged, parallel)),
    )
    return said if waterfall is None else _explained(said, study, waterfall)


def where_it_pays(study: Study, curves: tuple[Curve, ...], engine: EngineName) -> Sentence | None:
    """From which width on replicas of an engine are faster than one device; None unless widths are compared."""
    best = {
        curve.hidden_width: max(parallel, key=lambda point: point.speed_up.median)
        for curve in curves
        if curve.engine is engine
        and (parallel := [point for point in curve.points if point.replicas > 1 and not point.is_noisy])
    }
    if len(best) < 2:
        return None
    paying = sorted(width for width, point in best.items() if point.speed_up.median > 1 + _margin(point.speed_up))
    if not paying:
        return Sentence(NEVER_PAYS, {"low": min(best), "high": max(best), "device": study.device})
    width = paying[0]
    return Sentence(PAYS_FROM, {"width": width, "device": study.device, **_numbers(best[width])})


def other_programs(study: AnyStudy) -> float | None:
    """The share of the cores that others took while it was measured; None where that is not known."""
    shares = [one.other_programs for one in study.measurements if one.other_programs is not None]
    return statistics.fmean(shares) if shares else None


EMULATED: Final = N_(
    "Emulated: threads on the CPU stand in for GPUs. The algorithm is DataParallel's, the figures are this CPU's."
)
NEVER_PAYS: Final = N_("At no width measured, {low} to {high}, are replicas faster than {device}.")
PAYS_FROM: Final = N_(
    "Parallelism begins to pay at width {width}: there, {replicas} replicas are {speed_up} times as fast as "
    "{device}."
)
_KINDS: Final[Mapping[ScalingKind, str]] = {
    ScalingKind.NEAR_LINEAR: N_(
        "Near-linear up to {replicas} replicas: {speed_up} times as fast as {device}, {percent} % of the ideal."
    ),
    ScalingKind.PARTIAL: N_(
        "{replicas} replicas are {speed_up} times as fast as {device}, {percent} % of the ideal."
    ),
    ScalingKind.NO_GAIN: N_("{replicas} replicas are about as fast as {device}: {speed_up} times, ± {error}."),
    ScalingKind.SLOWER: N_("{replicas} replicas are {times} times slower than {device}."),
}
FASTER_THAN_CPU: Final = N_("They are {speed_up} times as fast as {device}.")
LIKE_CPU: Final = N_("They are about as fast as {device}: {speed_up} times, ± {error}.")
SLOWER_THAN_CPU: Final = N_("They are {times} times slower than {device}.")
NOT_MEASURED_APART: Final = N_("This study did not take causes away. Measure again to see what a step is made of.")
BEYOND: Final = N_(
    "Oversubscribed beyond {places} replicas, which is what this machine has cores or GPUs for: {replicas} are "
    "{speed_up} times as fast as {device}."
)
ONCE: Final = N_(
    "Too noisy to tell: {replicas} replicas were measured once, which says nothing about the error. Measure again "
    "with more repeats."
)
IMPOSSIBLE: Final = N_(
    "Too noisy to tell: {replicas} replicas seem {speed_up} times as fast as {device}, more than their number "
    "allows."
)
UNSURE: Final = N_(
    "Too noisy to tell: {replicas} replicas seem {speed_up} times as fast as {device}, with an error of "
    "{percent} %."
)
ALSO_NOISY: Final = N_("With {replicas} replicas it is too noisy to tell.")
DISTURBED: Final = N_("Other programs took {percent} % of the cores; measure again on a quiet machine.")
MORE_REPEATS: Final = N_("More repeats, or longer ones, make the errors smaller.")
AMDAHL: Final = N_(
    "Amdahl's law fits with a serial share of {percent} %: however many replicas, never more than {most} times."
)
AMDAHL_NO_SHARE: Final = N_("Amdahl's law fits with no serial share that could be measured.")
GUSTAFSON: Final = N_("Gustafson's law fits with a serial share of {percent} %.")


def _margin(speed_up: Spread) -> float:
    return max(SAME_SPEED, ERRORS * speed_up.standard_error)


def _kind(judged: CurvePoint, fair: Sequence[CurvePoint]) -> ScalingKind:
    speed_up, margin = judged.speed_up.median, _margin(judged.speed_up)
    if speed_up < 1 - margin:
        return ScalingKind.SLOWER
    if speed_up <= 1 + margin:
        return ScalingKind.NO_GAIN
    worst = min(point.efficiency for point in fair)
    return ScalingKind.NEAR_LINEAR if worst >= NEAR_LINEAR_EFFICIENCY else ScalingKind.PARTIAL


def _numbers(point: CurvePoint) -> dict[str, float]:
    return {"replicas": point.replicas, "percent": 100 * point.efficiency, **_times(point.speed_up)}


def _times(speed_up: Spread) -> dict[str, float]:
    return {"speed_up": speed_up.median, "times": 1 / speed_up.median, "error": speed_up.standard_error}


def _waterfall(study: Study, curve: Curve, judged: CurvePoint) -> Waterfall | None:
    wanted = (curve.engine, curve.hidden_width, judged.replicas)
    found = (one for one in waterfalls(study) if (one.engine, one.hidden_width, one.replicas) == wanted)
    return next((one for one in found if not one.is_noisy), None)


def _headline(
    study: Study, kind: ScalingKind, judged: CurvePoint, waterfall: Waterfall | None
) -> Iterator[Sentence]:
    yield Sentence(_KINDS[kind], {"device": study.device, **_numbers(judged)})
    beside_cpu = None if waterfall is None else waterfall.speed_up_of_cpu
    if beside_cpu is None:
        return
    margin = _margin(beside_cpu)
    template = LIKE_CPU
    if beside_cpu.median > 1 + margin:
        template = FASTER_THAN_CPU
    elif beside_cpu.median < 1 - margin:
        template = SLOWER_THAN_CPU
    yield Sentence(template, {"device": Device.WHOLE_CPU, **_times(beside_cpu)})


def _explained(said: ScalingVerdict, study: Study, waterfall: Waterfall) -> ScalingVerdict:
    """The verdict with the causes of a step, and what would change the largest."""
    found = causes(waterfall)
    said = replace(said, causes=found, step=whole(waterfall))
    if not found[0].costs:
        return said
    part = found[0].part
    return replace(said, advice=(advice(part, study, waterfall),), changes=changes_for(part, study, waterfall))


def _noisy(point: CurvePoint, device: Device) -> Sentence:
    speed_up = point.speed_up
    numbers: Values = {"device": device, **_numbers(point)}
    if point.num_turns < LEAST_TURNS:
        return Sentence(ONCE, numbers)
    if speed_up.median - ERRORS * speed_up.standard_error > point.replicas:
        return Sentence(IMPOSSIBLE, numbers)
    return Sentence(UNSURE, {**numbers, "percent": 100 * point.error})


def _quieter(study: Study) -> tuple[Sentence, ...]:
    """What would make a study clearer."""
    found = tuple(disturbed(study))
    return found or (Sentence(MORE_REPEATS),)


def disturbed(study: AnyStudy) -> Iterator[Sentence]:
    """What other programs took while it was measured, where that is enough to be said."""
    share = other_programs(study)
    if share is not None and share >= WORTH_SAYING:
        yield Sentence(DISTURBED, {"percent": round(100 * share)})


def _notes(study: Study, curve: Curve, judged: CurvePoint, parallel: Sequence[CurvePoint]) -> Iterator[Sentence]:
    last = parallel[-1]
    if last.is_noisy:
        yield Sentence(ALSO_NOISY, {"replicas": last.replicas})
    elif last.is_oversubscribed and not judged.is_oversubscribed:
        places = study.num_places(curve.engine)
        yield Sentence(BEYOND, {"places": places, "device": study.device, **_numbers(last)})
    yield from disturbed(study)
    yield from _law(fit(curve, study.plan.mode))
    if not waterfalls(study) and study.status.is_over:
        yield Sentence(NOT_MEASURED_APART)
    if curve.emulated:
        yield Sentence(EMULATED)


def _law(found: Fit | None) -> Iterator[Sentence]:
    if found is None or not found.describes:
        return
    share = {"percent": 100 * found.serial_share}
    if found.mode is ScalingMode.WEAK:
        yield Sentence(GUSTAFSON, share)
    elif found.serial_share < SMALLEST_SHARE:
        yield Sentence(AMDAHL_NO_SHARE)
    else:
        yield Sentence(AMDAHL, share | {"most": 1 / found.serial_share})
