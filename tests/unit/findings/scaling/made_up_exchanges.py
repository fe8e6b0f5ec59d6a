"""Exchange studies that are made up: a latency, a time per byte, and what hides how much."""

from collections.abc import Callable
from typing import Any

from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.exchange_study import (
    DdpStep,
    ExchangePlan,
    ExchangeStudy,
    Subject,
    Timing,
    Transfer,
)
from dpdash.core.scaling.study import StudyStatus
from dpdash.core.scaling.variants import Variant

LATENCY, PER_BYTE = 131e-6, 1.2e-9
TIMES = {ExchangeWay.ALL_REDUCE: 1.0, ExchangeWay.RING: 2.0, ExchangeWay.NAIVE: 3.0}
COMPUTING, EXCHANGE = 30e-3, 8e-3


def plan_of(**changes: Any) -> ExchangePlan:
    """Three turns with two ranks and a network of 512 × 2, unless a test says otherwise."""
    usual = {
        "replicas": 2,
        "samples": 10_000,
        "hidden_width": 512,
        "hidden_depth": 2,
        "repeats": 3,
        "seconds": 0.05,
    }
    return ExchangePlan.parse(usual | changes)


def seconds_of(turn: Subject) -> float:
    """A transfer lies on its line; a step with many buckets hides half of its exchange."""
    if isinstance(turn, Transfer):
        return TIMES[turn.way] * (LATENCY * (turn.replicas - 1) + PER_BYTE * turn.num_bytes)
    if turn.variant is Variant.NO_EXCHANGE:
        return COMPUTING
    if turn.micro_batches > 1:
        times = turn.micro_batches if turn.variant is Variant.EXCHANGE_EACH else 1
        return COMPUTING + times * EXCHANGE
    is_one_bucket = turn.bucket_cap_mb is not None and turn.bucket_cap_mb > 1
    return COMPUTING + EXCHANGE * (1 if is_one_bucket else 0.5)


def study_of(
    seconds: Callable[[Subject], float] = seconds_of,
    noise: float = 0.0,
    num_cores: int = 2,
    other_programs: float | None = 0.0,
    **changes: Any,
) -> ExchangeStudy:
    """A whole study in which everything takes the seconds that a test decides, a bit more each second turn."""
    plan = plan_of(**changes)
    measurements = tuple(
        Timing(turn, repeat, seconds(turn) * (1 + noise * (-1) ** repeat), other_programs)
        for repeat in range(plan.repeats)
        for turn in plan.turns
    )
    return ExchangeStudy("exchange", "ann", 5.0, plan, num_cores, 0, StudyStatus.FINISHED, measurements)


def step_of(study: ExchangeStudy, **what: Any) -> DdpStep:
    """A step of a study, with the most ranks."""
    return DdpStep(study.plan.replicas, **what)
