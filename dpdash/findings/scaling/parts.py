"""What a step is made of, from the measurements of a study: a cause costs what a step with it takes longer."""

import statistics
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np

from dpdash.core.config import EngineName
from dpdash.core.scaling.plan import Point, ScalingMode
from dpdash.core.scaling.study import Measurement, Study
from dpdash.core.scaling.variants import Variant
from dpdash.core.scaling.waterfall import Beside, Duration, Part, Waterfall
from dpdash.findings.speed_up import is_noisy, speed_up
from dpdash.findings.turns import redrawn_medians

NANOSECONDS: Final = 1e9
MOST_KEPT: Final = 8
"""Studies whose parts are kept: a page asks for them several times."""

_DATA_PARALLEL: Final[Mapping[Part, Variant]] = {
    Part.SMALL_SHARDS: Variant.SHARD_ALONE,
    Part.SHARING: Variant.SHARDS_AT_ONCE,
    Part.ONE_BACKWARD: Variant.ONE_BACKWARD,
    Part.COPIES: Variant.ENGINE,
}
_DDP: Final[Mapping[Part, Variant]] = {
    Part.SMALL_SHARDS: Variant.SHARD_ALONE,
    Part.SHARING: Variant.SHARDS_AT_ONCE,
    Part.BOOKKEEPING: Variant.NO_EXCHANGE,
    Part.EXCHANGE: Variant.ENGINE,
}
"""The way to do a step that has a part and all those before it, in the order of the parts after the ideal."""


@lru_cache(maxsize=MOST_KEPT)
def waterfalls(study: Study) -> tuple[Waterfall, ...]:
    """One for each engine, width and number of replicas of which enough is measured, in the order of the plan."""
    found = (_waterfall(study, point) for point in study.plan.points if not point.is_baseline)
    return tuple(waterfall for waterfall in found if waterfall is not None)


def _waterfall(study: Study, point: Point) -> Waterfall | None:
    is_weak, replicas = study.plan.mode is ScalingMode.WEAK, point.replicas
    baseline = Point(EngineName.SINGLE, 1, point.hidden_width)
    ways = _ways(point.engine, is_weak)
    alone = _by_round(study.of(baseline))
    columns = [_by_round(study.of(point, way)) for way in ways.values()]
    rounds = sorted(set(alone).intersection(*columns))
    if not rounds:
        return None
    one, *steps = ([turns[number].step_seconds for number in rounds] for turns in (alone, *columns))
    levels = [one if is_weak else [seconds / replicas for seconds in one], *steps]
    parts = {Part.IDEAL: duration(levels[0])}
    parts |= {
        part: difference(step, shorter) for part, (shorter, step) in zip(ways, pairwise(levels), strict=True)
    }
    batches = replicas if is_weak else 1
    one_device = [seconds * batches for seconds in one]
    cpu = _seconds(study, baseline, Variant.WHOLE_CPU, rounds)
    return Waterfall(
        point.engine,
        point.hidden_width,
        replicas,
        step=duration(steps[-1]),
        batches=batches,
        one_device=duration(one),
        whole_cpu=duration(cpu) if cpu else None,
        parts=parts,
        beside=_beside(study, point, rounds, steps[-1]),
        speed_up=speed_up(one_device, steps[-1]),
        speed_up_of_cpu=speed_up([seconds * batches for seconds in cpu], steps[-1]) if cpu else None,
        is_noisy=is_noisy(one_device, steps[-1], replicas),
        num_turns=len(rounds),
        device=study.device,
    )


def _ways(engine: EngineName, is_weak: bool) -> dict[Part, Variant]:
    ways = dict(_DDP if engine is EngineName.DDP else _DATA_PARALLEL)
    if is_weak:
        del ways[Part.SMALL_SHARDS]  # the ideal is a shard alone there
    return ways


def _by_round(turns: Sequence[Measurement]) -> dict[int, Measurement]:
    return {turn.repeat: turn for turn in turns}


def _seconds(study: Study, point: Point, way: Variant, rounds: Sequence[int]) -> list[float]:
    """Of a step in these rounds; none where it was not measured in all of them."""
    turns = _by_round(study.of(point, way))
    return [turns[number].step_seconds for number in rounds] if turns.keys() >= set(rounds) else []


def _beside(study: Study, point: Point, rounds: Sequence[int], step: Sequence[float]) -> dict[Beside, Duration]:
    beside = {}
    one_bucket = _seconds(study, point, Variant.ONE_BUCKET, rounds)
    if one_bucket:
        beside[Beside.EXCHANGE_HIDDEN] = difference(one_bucket, step)
    noted = study.of(point, Variant.FIRST_ALL_REDUCE)
    waiting = [turn.waiting_seconds for turn in noted if turn.waiting_seconds is not None]
    if waiting:
        beside[Beside.WAITING] = duration(waiting)
    return beside


def duration(seconds: Sequence[float]) -> Duration:
    """The median of what was measured in turns."""
    return Duration(_median(seconds), _nanoseconds(float(np.std(redrawn_medians(seconds)))))


def difference(longer: Sequence[float], shorter: Sequence[float]) -> Duration:
    """What stands between two medians. Each is rounded for itself, so that differences add up."""
    with_it, without = redrawn_medians(longer, shorter).T
    return Duration(_median(longer) - _median(shorter), _nanoseconds(float(np.std(with_it - without))))


def _median(seconds: Sequence[float]) -> int:
    return _nanoseconds(statistics.median(seconds))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * NANOSECONDS)
