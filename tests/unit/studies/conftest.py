"""Studies that are made up, measurement by measurement."""

from collections.abc import Callable
from typing import Any

from dpdash.config import EngineName
from dpdash.study import Measurement, PhaseSeconds, Point, ScalingMode, Study, StudyPlan

REPLICAS = EngineName.CPU_REPLICAS
BASE_RATE = 100.0


def plan_of(**changes: Any) -> StudyPlan:
    """Two repeats of up to three CPU replicas, unless a test says otherwise."""
    usual = {
        "engines": (REPLICAS,),
        "mode": ScalingMode.STRONG,
        "replicas": 3,
        "samples": 600,
        "hidden_widths": (8,),
        "hidden_depth": 1,
        "repeats": 2,
        "seconds": 0.1,
    }
    return StudyPlan.parse(usual | changes)


def study_of(
    speed_up: Callable[[Point], float],
    num_cores: int = 64,
    phases: dict[str, float] | None = None,
    noise: float = 0.0,
    **changes: Any,
) -> Study:
    """A whole study whose points have the speed-ups that a test decides; `phases` are shares of a step."""
    plan = plan_of(**changes)
    measurements = [
        _measurement(plan, point, repeat, speed_up(point) * (1 + noise * (-1) ** repeat), phases)
        for repeat in range(plan.repeats)
        for point in plan.points
    ]
    return Study("study", "ann", 5.0, plan, num_cores, 0, measurements=tuple(measurements))


def _measurement(
    plan: StudyPlan, point: Point, repeat: int, speed_up: float, phases: dict[str, float] | None
) -> Measurement:
    samples = plan.config(point).samples
    rate = BASE_RATE * (1.0 if point.is_baseline else speed_up) * plan.samples / samples
    return Measurement(
        point,
        repeat,
        samples,
        rate,
        emulated=point.engine is REPLICAS,
        traced_seconds=None if phases is None else 1 / rate,
        phases=tuple(PhaseSeconds(name, share / rate) for name, share in (phases or {}).items()),
    )
