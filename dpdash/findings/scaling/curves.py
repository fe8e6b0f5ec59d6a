"""From the measurements of a study to its curves: plain statistics."""

import statistics
from collections.abc import Sequence

from dpdash.core.config import EngineName
from dpdash.core.scaling.curve import Curve, CurvePoint, Spread
from dpdash.core.scaling.plan import Point
from dpdash.core.scaling.study import Measurement, Study
from dpdash.findings.speed_up import is_noisy, largest_error, speed_up


def curves(study: Study) -> tuple[Curve, ...]:
    """One curve for each engine and width of which something can be compared, in the order of the plan."""
    plan = study.plan
    found = (_curve(study, engine, width) for width in plan.hidden_widths for engine in plan.engines)
    return tuple(curve for curve in found if curve is not None)


def step_seconds(measurements: Sequence[Measurement]) -> float:
    """Median seconds of a step."""
    return statistics.median(measured.step_seconds for measured in measurements)


def _curve(study: Study, engine: EngineName, width: int) -> Curve | None:
    baseline = study.of(Point(EngineName.SINGLE, 1, width))
    if not baseline:
        return None
    one_device = CurvePoint(1, Spread(1.0, 1.0, 1.0, 0.0), step_seconds(baseline), is_oversubscribed=False)
    points, emulated = [one_device], False
    for replicas in study.plan.replica_counts:
        measured = study.of(Point(engine, replicas, width))
        one, many = _same_rounds(measured, baseline)
        if one:
            emulated = emulated or any(turn.emulated for turn in measured)
            points.append(
                CurvePoint(
                    replicas,
                    speed_up(one, many),
                    step_seconds(measured),
                    study.is_oversubscribed(engine, replicas),
                    is_noisy(one, many, replicas),
                    largest_error(one, many),
                    len(one),
                )
            )
    return Curve(engine, width, emulated, tuple(points))


def _same_rounds(
    measured: Sequence[Measurement], baseline: Sequence[Measurement]
) -> tuple[list[float], list[float]]:
    """Seconds for the samples of a step, on one device and on many, of the rounds in which both were measured."""
    alone = {one.repeat: one for one in baseline}
    pairs = [(alone[one.repeat], one) for one in measured if one.repeat in alone]
    return [many.samples / one.samples_per_second for one, many in pairs], [
        many.step_seconds for _one, many in pairs
    ]
