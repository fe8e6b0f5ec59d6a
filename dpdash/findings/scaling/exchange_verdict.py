"""What an exchange costs here, in sentences with the numbers of this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dpdash.core.errors import N_
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.exchange_study import LARGEST_SMALL, SMALLEST_LARGE, ExchangeStudy
from dpdash.core.scaling.gradient import MIB, gradient_bytes
from dpdash.findings.scaling.exchange import ExchangeCurve, ExchangeInStep, exchange_curves, in_step, is_gain
from dpdash.findings.scaling.sentence import Sentence
from dpdash.findings.scaling.verdict import disturbed
from dpdash.findings.speed_up import LARGEST_ERROR

LATENCY_ALONE: Final = 0.1
"""Bytes that take less than this share of the latency are as good as none."""
LITTLE_HIDDEN: Final = 0.25
"""Of an exchange: less than that is not worth a setting."""

COST: Final = N_(
    "An all-reduce over {replicas} ranks takes {latency} µs, however little is sent (latency α), and "
    "{per_byte} ms more for each MB (time per byte β)."
)
SMALL_GRADIENT: Final = N_(
    "The gradient of this model has {bytes} bytes, which is latency alone: {predicted} ms by the line."
)
SMALL_GRADIENT_MEASURED: Final = N_(
    "The gradient of this model has {bytes} bytes, which is latency alone: {predicted} ms by the line, "
    "{measured} ms measured."
)
GRADIENT: Final = N_("The gradient of this model has {megabytes} MB: {predicted} ms by the line.")
GRADIENT_MEASURED: Final = N_(
    "The gradient of this model has {megabytes} MB: {predicted} ms by the line, {measured} ms measured."
)
OFF_SIZES: Final = N_(
    "Hollow points lie off the line: {count} sizes, from {low} to {high} KiB. Nothing between {small} KiB and "
    "{large} MiB is fitted."
)
OFF_SIZE: Final = N_(
    "A hollow point lies off the line: {low} KiB. Nothing between {small} KiB and {large} MiB is fitted."
)
BY_HAND: Final = N_(
    "At {size} MiB a ring by hand takes {ring} times as long as torch's all-reduce, and a naive exchange {naive} "
    "times."
)
TOO_NOISY: Final = N_(
    "Too noisy to tell what the exchange does to a step: it takes {step} ms with an error of {error} ms."
)
TAKEN_AWAY: Final = N_("A step takes {step} ms, and {without} ms with its all-reduce taken away.")
HIDDEN: Final = N_(
    "In one bucket, after backward, the exchange costs {exchange} ms; DDP's own buckets hide {hidden} ms of it."
)
HIDES_NOTHING: Final = N_(
    "In one bucket, after backward, the exchange costs {exchange} ms; DDP's own buckets hide nothing of it that "
    "could be measured."
)
LOST: Final = N_("What the exchange adds to a step is lost in the noise: less than {bound} ms of {step} ms.")
ONE_BUCKET: Final = N_(
    "A gradient so small is in one bucket whatever the size that is set: none of its exchange can be hidden."
)
BEST_IS_ONE: Final = N_("The best here is one bucket: {saved} ms less than DDP's own buckets.")
BEST: Final = N_("The best size of buckets here is {cap} MiB: {saved} ms less than DDP's own.")
NONE_IS_BETTER: Final = N_("No other size of buckets is faster here by as much as could be measured.")
LITTLE: Final = N_(
    "Little is to be won by hiding here: at best {percent} % of the exchange. Adding up takes the cores on which "
    "backward runs: {replicas} ranks on {places} cores."
)
ACCUMULATED: Final = N_(
    "In {count} micro-batches a step takes {each} ms with an exchange after each, and {once} ms with one after "
    "the last (no_sync)."
)
ACCUMULATED_ALIKE: Final = N_(
    "In {count} micro-batches a step takes {each} ms with an exchange after each; one after the last alone "
    "(no_sync) saves nothing that could be measured."
)
OVERSUBSCRIBED: Final = N_(
    "{replicas} ranks share {places} cores or GPUs (oversubscribed): they also wait for their turn."
)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a model's gradient lies on the curve."""

    num_bytes: int
    seconds: float
    """By the line."""
    measured: float | None
    """Seconds; None where no exchange of that size was measured."""


def most_ranks(study: ExchangeStudy) -> ExchangeCurve | None:
    """The curve of torch's all-reduce over the most ranks; None while nothing of it can be said."""
    found = [curve for curve in exchange_curves(study) if curve.way is ExchangeWay.ALL_REDUCE and curve.line]
    return max(found, key=lambda curve: curve.replicas, default=None)


def mark(study: ExchangeStudy, hidden_width: int, hidden_depth: int) -> Mark | None:
    """What the exchange of a model's gradient takes; None while nothing can be said."""
    curve = most_ranks(study)
    if curve is None or curve.line is None:
        return None
    num_bytes = gradient_bytes(hidden_width, hidden_depth)
    found = curve.at(num_bytes)
    return Mark(num_bytes, curve.line.seconds(num_bytes), None if found is None else found.seconds)


def transfer_sentences(study: ExchangeStudy, marked: Mark | None) -> tuple[Sentence, ...]:
    """What an exchange alone costs, and the gradient that is marked; nothing while too little is measured."""
    curve = most_ranks(study)
    return () if curve is None else tuple(_of_transfers(study, curve, marked))


def step_sentences(study: ExchangeStudy) -> tuple[Sentence, ...]:
    """What the exchange does to a step; nothing while too little is measured."""
    found = in_step(study)
    return () if found is None else tuple(_of_steps(study, found))


def condition_sentences(study: ExchangeStudy) -> tuple[Sentence, ...]:
    """What to know of the machine while it measured."""
    places = study.num_gpus or study.num_cores
    said = []
    if study.is_oversubscribed:
        said.append(Sentence(OVERSUBSCRIBED, {"replicas": study.plan.replicas, "places": places}))
    return (*said, *disturbed(study))


def _of_transfers(study: ExchangeStudy, curve: ExchangeCurve, marked: Mark | None) -> Iterator[Sentence]:
    line = curve.line
    assert line is not None
    costs = {"replicas": curve.replicas, "latency": 1e6 * line.latency, "per_byte": 1e9 * line.per_byte}
    yield Sentence(COST, costs)
    if marked is not None:
        is_small = line.per_byte * marked.num_bytes < LATENCY_ALONE * line.latency
        values: dict[str, float] = {"predicted": 1e3 * marked.seconds}
        values |= {"bytes": marked.num_bytes} if is_small else {"megabytes": marked.num_bytes / 1e6}
        if marked.measured is None:
            yield Sentence(SMALL_GRADIENT if is_small else GRADIENT, values)
        else:
            values["measured"] = 1e3 * marked.measured
            yield Sentence(SMALL_GRADIENT_MEASURED if is_small else GRADIENT_MEASURED, values)
    yield from _off(curve)
    yield from _by_hand(study, curve)


def _off(curve: ExchangeCurve) -> Iterator[Sentence]:
    off = [size.num_bytes / 1024 for size in curve.sizes if size.is_off]
    if off:
        values = {
            "low": min(off),
            "high": max(off),
            "count": len(off),
            "small": LARGEST_SMALL // 1024,
            "large": SMALLEST_LARGE // MIB,
        }
        yield Sentence(OFF_SIZES if len(off) > 1 else OFF_SIZE, values)


def _by_hand(study: ExchangeStudy, curve: ExchangeCurve) -> Iterator[Sentence]:
    by_way = {other.way: other for other in exchange_curves(study) if other.replicas == curve.replicas}
    if not {ExchangeWay.RING, ExchangeWay.NAIVE} <= by_way.keys():
        return
    largest = by_way[ExchangeWay.NAIVE].sizes[-1].num_bytes
    ring, naive = by_way[ExchangeWay.RING].at(largest), by_way[ExchangeWay.NAIVE].at(largest)
    torchs = curve.at(largest)
    if ring and naive and torchs:
        times = {"ring": ring.seconds / torchs.seconds, "naive": naive.seconds / torchs.seconds}
        yield Sentence(BY_HAND, {"size": largest // MIB, **times})


def _of_steps(study: ExchangeStudy, found: ExchangeInStep) -> Iterator[Sentence]:
    if max(found.step.error, found.without.error) > LARGEST_ERROR * found.step.nanoseconds:
        errors = {"step": found.step.milliseconds, "error": found.step.error_milliseconds}
        yield Sentence(TOO_NOISY, errors)
        return
    yield Sentence(TAKEN_AWAY, {"step": found.step.milliseconds, "without": found.without.milliseconds})
    yield from _hidden(study, found)
    for accumulation in found.accumulations[-1:]:
        yield Sentence(
            ACCUMULATED if is_gain(accumulation.saved) else ACCUMULATED_ALIKE,
            {
                "count": accumulation.micro_batches,
                "each": accumulation.each.milliseconds,
                "once": accumulation.once.milliseconds,
            },
        )


def _hidden(study: ExchangeStudy, found: ExchangeInStep) -> Iterator[Sentence]:
    if len(found.buckets) == 1:
        yield Sentence(ONE_BUCKET)
        return
    if not is_gain(found.exchange):
        yield Sentence(LOST, {"bound": found.exchange.bound.milliseconds, "step": found.step.milliseconds})
        return
    usual = found.usual.hidden
    values = {"exchange": found.exchange.milliseconds, "hidden": usual.milliseconds}
    yield Sentence(HIDDEN if is_gain(usual) else HIDES_NOTHING, values)
    yield _best(found)
    most = max(one.hidden.nanoseconds for one in found.buckets)
    if most < LITTLE_HIDDEN * found.exchange.nanoseconds and not study.num_gpus:
        percent = 100 * max(0.0, most / found.exchange.nanoseconds)
        places = {"replicas": study.plan.replicas, "places": study.num_cores}
        yield Sentence(LITTLE, {"percent": percent, **places})


def _best(found: ExchangeInStep) -> Sentence:
    best = found.best
    if best.cap_mb is None:
        return Sentence(NONE_IS_BETTER)
    saved = {"saved": found.saved.milliseconds}
    return Sentence(BEST_IS_ONE, saved) if best.count == 1 else Sentence(BEST, {"cap": best.cap_mb, **saved})
