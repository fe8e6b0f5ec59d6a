"""Studies and sweeps that are made up, measurement by measurement and trial by trial."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.scaling.plan import Point, ScalingMode, StudyPlan
from dpdash.core.scaling.study import Measurement, Study
from dpdash.core.sweep import Objective, SearchMethod, Sweep, SweepPlan, SweepStatus, Trial, TrialStatus
from dpdash.core.sweep_axis import Axis, Value
from dpdash.sweeps.service import SweepService

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
    noise: float = 0.0,
    **changes: Any,
) -> Study:
    """A whole study whose points have the speed-ups that a test decides."""
    plan = plan_of(**changes)
    measurements = [
        _measurement(plan, point, repeat, speed_up(point) * (1 + noise * (-1) ** repeat))
        for repeat in range(plan.repeats)
        for point in plan.points
    ]
    return Study("study", "ann", 5.0, plan, num_cores, 0, measurements=tuple(measurements))


def _measurement(plan: StudyPlan, point: Point, repeat: int, speed_up: float) -> Measurement:
    samples = plan.config(point).samples
    rate = BASE_RATE * (1.0 if point.is_baseline else speed_up) * plan.samples / samples
    return Measurement(
        point,
        repeat,
        samples,
        rate,
        emulated=point.engine is REPLICAS,
    )


def sweep_plan_of(**changes: Any) -> SweepPlan:
    """A grid of two learning rates and two optimizers over tiny runs, unless a test says otherwise."""
    usual = {
        "base": RunConfig(samples=50, epochs=20),
        "axes": (Axis("learning_rate", (0.01, 0.1)), Axis("optimizer", ("adam", "sgd"))),
        "method": SearchMethod.GRID,
        "objective": Objective.FINAL_LOSS,
        "trials": 4,
        "seed": 0,
        "prunes": False,
    }
    return SweepPlan.parse(usual | changes)


def sweep_of(value: Callable[[tuple[Value, ...]], float | TrialStatus], **changes: Any) -> Sweep:
    """A whole grid whose trials have the values that a test decides, or the status where there is none."""
    plan = sweep_plan_of(**changes)
    trials = []
    for number, values in enumerate(product(*(axis.values for axis in plan.axes))):
        decided = value(values)
        known = Trial(number, values, f"run{number}", num_epochs=20, slope=3.0, standard_error=0.1)
        if isinstance(decided, TrialStatus):
            trials.append(replace(known, status=decided, standard_error=None))
        else:
            trials.append(replace(known, status=TrialStatus.COMPLETE, value=decided))
    return Sweep("sweep", "ann", 5.0, plan, SweepStatus.FINISHED, tuple(trials))


def whole(service: SweepService) -> tuple[Sweep, ...]:
    """The sweeps that a service lists, with all that came of them."""
    shown = [service.snapshot(head.value_id) for head in service.sweeps()]
    return tuple(snapshot.sweep for snapshot in shown if snapshot is not None)
