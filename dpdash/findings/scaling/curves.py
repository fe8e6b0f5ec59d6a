"""From the measurements of a study to its curves: plain statistics."""

import math
import statistics
from collections.abc import Sequence

from dpdash.core.config import EngineName
from dpdash.core.scaling.curve import Curve, CurvePoint, Spread
from dpdash.core.scaling.plan import Point
from dpdash.core.scaling.study import Measurement, Study


def curves(study: Study) -> tuple[Curve, ...]:
    """One curve for each engine and width of which something can be compared, in the order of the plan."""
    plan = study.plan
    found = (_curve(study, engine, width) for width in plan.hidden_widths for engine in plan.engines)
    return tuple(curve for curve in found if curve is not None)


def spread(values: Sequence[float]) -> Spread:
    """Median, extremes and standard error of one or more values."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Spread(statistics.median(values), min(values), max(values), error)


def phase_seconds(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Median seconds of each phase over the repeats that took a step apart; empty where none did."""
    traced = [measured for measured in measurements if measured.traced_seconds is not None]
    names = dict.fromkeys(part.phase for measured in traced for part in measured.phases)
    return {
        name: statistics.median(
            sum(part.seconds for part in measured.phases if part.phase == name) for measured in traced
        )
        for name in names
    }


def step_seconds(measurements: Sequence[Measurement]) -> float:
    """Median seconds of a step."""
    return statistics.median(measured.step_seconds for measured in measurements)


def _curve(study: Study, engine: EngineName, width: int) -> Curve | None:
    baseline = study.of(Point(EngineName.SINGLE, 1, width))
    if not baseline:
        return None
    one_device = CurvePoint(1, Spread(1.0, 1.0, 1.0, 0.0), step_seconds(baseline), is_oversubscribed=False)
    points, emulated = [one_device], False
    for replicas in range(2, study.plan.replicas + 1):
        measured = study.of(Point(engine, replicas, width))
        ratios = _ratios(measured, baseline)
        if ratios:
            emulated = emulated or any(one.emulated for one in measured)
            shared = study.is_oversubscribed(engine, replicas)
            points.append(CurvePoint(replicas, spread(ratios), step_seconds(measured), shared))
    return Curve(engine, width, emulated, tuple(points))


def _ratios(measured: Sequence[Measurement], baseline: Sequence[Measurement]) -> list[float]:
    """Speed-up of each repeat, beside the baseline of the same round, which the same noise has hit."""
    rates = {one.repeat: one.samples_per_second for one in baseline}
    return [one.samples_per_second / rates[one.repeat] for one in measured if one.repeat in rates]
