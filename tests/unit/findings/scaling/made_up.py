"""Studies that are made up, turn by turn, of which every way to do a step is measured."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from dpdash.core.config import EngineName
from dpdash.core.scaling.plan import Point
from dpdash.core.scaling.study import Measurement, Study
from dpdash.core.scaling.variants import Variant
from tests.unit.sweeps.conftest import REPLICAS, plan_of

MILLISECONDS: Final[Mapping[EngineName, Mapping[Variant, float]]] = {
    EngineName.SINGLE: {Variant.ENGINE: 4.0, Variant.WHOLE_CPU: 3.0},
    REPLICAS: {
        Variant.SHARD_ALONE: 2.2,
        Variant.SHARDS_AT_ONCE: 2.9,
        Variant.ONE_BACKWARD: 3.8,
        Variant.ENGINE: 5.3,
    },
    EngineName.DDP: {
        Variant.SHARD_ALONE: 2.2,
        Variant.SHARDS_AT_ONCE: 2.4,
        Variant.NO_EXCHANGE: 2.7,
        Variant.ENGINE: 3.5,
        Variant.ONE_BUCKET: 3.9,
        Variant.FIRST_ALL_REDUCE: 3.5,
    },
}
"""A step, with two replicas where there are any."""
TURNS: Final = 7

Milliseconds = Callable[[Point, Variant, int], float]
"""Of a step, from what is measured, how, and in which round."""


def usual_milliseconds(point: Point, way: Variant, turn: int) -> float:
    """The same for every number of replicas, a hundredth more or less from round to round."""
    return MILLISECONDS[point.engine][way] * (1 + 0.01 * ((3 * turn + len(way)) % 5 - 2))


def measured_study(
    milliseconds: Milliseconds = usual_milliseconds,
    *,
    num_cores: int = 2,
    other_programs: float | None = 0.02,
    rounds: int = TURNS,
    **changes: Any,
) -> Study:
    """A study of two CPU replicas, unless a test says otherwise."""
    plan = plan_of(**{"replicas": 2, "repeats": TURNS} | changes)
    study = Study("study", "ann", 5.0, plan, num_cores, 0)
    turns = [(turn, point, way) for turn in range(rounds) for point in plan.points for way in study.ways(point)]
    measurements = tuple(
        Measurement(
            point,
            turn,
            plan.config(point).samples,
            1000 / milliseconds(point, way, turn),
            emulated=point.engine is REPLICAS,
            variant=way,
            other_programs=other_programs,
            waiting_seconds=0.0003 if way is Variant.FIRST_ALL_REDUCE else None,
        )
        for turn, point, way in turns
    )
    return Study("study", "ann", 5.0, plan, num_cores, 0, measurements=measurements)
