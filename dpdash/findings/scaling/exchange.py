"""What an exchange costs here: latency and time per byte, what buckets hide of it, what accumulation saves.

A transfer of n bytes takes α + β n (Hockney 1994). α is read off where n hardly matters, β where α hardly does.
In between, libraries change their ways: what lies there is compared with the line and not fitted.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.exchange_study import (
    LARGEST_SMALL,
    SMALLEST_LARGE,
    DdpStep,
    ExchangeStudy,
    Transfer,
)
from dpdash.core.scaling.gradient import bucket_sizes, tensor_sizes
from dpdash.core.scaling.variants import Variant
from dpdash.core.scaling.waterfall import Duration
from dpdash.findings.scaling.parts import difference, duration
from dpdash.findings.speed_up import LEAST_TURNS
from dpdash.findings.turns import redrawn_medians

OFF_THE_LINE: Final = 0.3
"""A size lies off the line when its median differs from it by more than this share of it."""
ERRORS_OF_THE_BEST: Final = 3
"""Standard errors: the shortest of several is shorter than another by chance more often than one alone."""


@dataclass(frozen=True, slots=True)
class CostLine:
    """Latency and time per byte of one way to exchange, each the median of the turns."""

    latency: float
    """Seconds: α."""
    latency_error: float
    per_byte: float
    """Seconds: β."""
    per_byte_error: float

    def seconds(self, num_bytes: int) -> float:
        """What so many bytes take by it."""
        return self.latency + self.per_byte * num_bytes


@dataclass(frozen=True, slots=True)
class Size:
    """What so many bytes took."""

    num_bytes: int
    seconds: float
    """Median."""
    low: float
    high: float
    is_off: bool
    """Whether it lies off the line."""


@dataclass(frozen=True, slots=True)
class ExchangeCurve:
    """One way to exchange, by size."""

    way: ExchangeWay
    replicas: int
    sizes: tuple[Size, ...]
    """In rising order."""
    line: CostLine | None
    """None while too little is measured."""

    def at(self, num_bytes: int) -> Size | None:
        """What was measured of exactly so many bytes."""
        return next((size for size in self.sizes if size.num_bytes == num_bytes), None)


@dataclass(frozen=True, slots=True)
class Buckets:
    """A step with buckets of one size."""

    cap_mb: float | None
    """In MiB; None for torch's own limits."""
    count: int
    """Buckets that the gradient is cut into."""
    step: Duration
    hidden: Duration
    """What one bucket takes longer."""


@dataclass(frozen=True, slots=True)
class Accumulation:
    """A step in several micro-batches."""

    micro_batches: int
    once: Duration
    """With one exchange, after the last of them (`no_sync`)."""
    each: Duration
    """With an exchange after each of them."""
    saved: Duration
    """By exchanging once."""


@dataclass(frozen=True, slots=True)
class ExchangeInStep:
    """What an exchange does to a step of the model."""

    step: Duration
    """As DDP does it when nothing is set."""
    without: Duration
    """With the all-reduce taken away."""
    exchange: Duration
    """What one bucket after backward costs: nothing of it is hidden."""
    buckets: tuple[Buckets, ...]
    """From the fewest to the most; DDP's own are among them."""
    best: Buckets
    """With the shortest step; DDP's own unless another one is shorter beyond its error."""
    saved: Duration
    """By the best, beside DDP's own; 0 where that is the best."""
    accumulations: tuple[Accumulation, ...]

    @property
    def usual(self) -> Buckets:
        """DDP's own."""
        return next(one for one in self.buckets if one.cap_mb is None)


def exchange_curves(study: ExchangeStudy) -> tuple[ExchangeCurve, ...]:
    """Each way to exchange with each number of ranks of which something is measured, in the order of a round."""
    wanted = dict.fromkeys((turn.way, turn.replicas) for turn in study.turns if isinstance(turn, Transfer))
    seconds = _seconds_by_turn(study)
    found = (_curve(way, replicas, seconds) for way, replicas in wanted)
    return tuple(curve for curve in found if curve.sizes)


def fitted(rounds: Sequence[Mapping[int, float]]) -> CostLine | None:
    """The line through transfers; of each round its seconds by their bytes. None where no round has both ends."""
    lines = [line for seconds in rounds if (line := _of_round(seconds)) is not None]
    if not lines:
        return None
    latencies, slopes = zip(*lines, strict=True)
    return CostLine(
        statistics.median(latencies),
        _error(latencies),
        statistics.median(slopes),
        _error(slopes),
    )


def in_step(study: ExchangeStudy) -> ExchangeInStep | None:
    """What the exchange does to a step; None until every way to do it was measured once."""
    replicas, plan = study.plan.replicas, study.plan
    steps = {turn: study.of(turn) for turn in study.turns if isinstance(turn, DdpStep)}
    num_turns = min((len(seconds) for seconds in steps.values()), default=0)
    if not num_turns:
        return None
    seconds = {turn: values[:num_turns] for turn, values in steps.items()}
    tensors = tensor_sizes(plan.hidden_width, plan.hidden_depth)
    counts = {cap: len(bucket_sizes(tensors, cap)) for cap in plan.bucket_caps}
    by_cap = {cap: seconds[DdpStep(replicas, bucket_cap_mb=cap)] for cap in sorted(counts, key=counts.__getitem__)}
    one_bucket, usual = next(iter(by_cap.values())), by_cap[None]
    buckets = tuple(
        Buckets(cap, counts[cap], duration(values), difference(one_bucket, values))
        for cap, values in by_cap.items()
    )
    shortest = min(buckets, key=lambda one: one.step.nanoseconds)
    saved = difference(usual, by_cap[shortest.cap_mb])
    if num_turns < LEAST_TURNS or saved.nanoseconds <= ERRORS_OF_THE_BEST * saved.error:
        shortest, saved = next(one for one in buckets if one.cap_mb is None), difference(usual, usual)
    without = seconds[DdpStep(replicas, Variant.NO_EXCHANGE)]
    return ExchangeInStep(
        step=duration(usual),
        without=duration(without),
        exchange=difference(one_bucket, without),
        buckets=buckets,
        best=shortest,
        saved=saved,
        accumulations=tuple(_accumulation(replicas, count, seconds) for count in plan.micro_batches),
    )


def is_gain(saved: Duration) -> bool:
    """Whether it is more than nothing beyond its error."""
    return saved.nanoseconds > 2 * saved.error


def _accumulation(replicas: int, count: int, seconds: Mapping[DdpStep, Sequence[float]]) -> Accumulation:
    once = seconds[DdpStep(replicas, micro_batches=count)]
    each = seconds[DdpStep(replicas, Variant.EXCHANGE_EACH, micro_batches=count)]
    return Accumulation(count, duration(once), duration(each), difference(each, once))


def _seconds_by_turn(study: ExchangeStudy) -> dict[Transfer, dict[int, float]]:
    """Of each transfer its seconds by the round."""
    found: dict[Transfer, dict[int, float]] = {}
    for one in study.measurements:
        if isinstance(one.subject, Transfer):
            found.setdefault(one.subject, {})[one.repeat] = one.seconds
    return found


def _curve(way: ExchangeWay, replicas: int, seconds: Mapping[Transfer, Mapping[int, float]]) -> ExchangeCurve:
    mine = {
        turn.num_bytes: rounds
        for turn, rounds in sorted(seconds.items(), key=lambda item: item[0].num_bytes)
        if (turn.way, turn.replicas) == (way, replicas)
    }
    numbers = sorted({number for rounds in mine.values() for number in rounds})
    line = fitted([{size: by[number] for size, by in mine.items() if number in by} for number in numbers])
    return ExchangeCurve(
        way, replicas, tuple(_size(num_bytes, list(by.values()), line) for num_bytes, by in mine.items()), line
    )


def _size(num_bytes: int, seconds: Sequence[float], line: CostLine | None) -> Size:
    median = statistics.median(seconds)
    is_off = line is not None and abs(median / line.seconds(num_bytes) - 1) > OFF_THE_LINE
    return Size(num_bytes, median, min(seconds), max(seconds), is_off)


def _of_round(seconds: Mapping[int, float]) -> tuple[float, float] | None:
    """Latency and time per byte of one round, each the median over the sizes that tell it."""
    small = {size: taken for size, taken in seconds.items() if size <= LARGEST_SMALL}
    large = {size: taken for size, taken in seconds.items() if size >= SMALLEST_LARGE}
    if not small or not large:
        return None
    latency = statistics.median(small.values())
    per_byte = statistics.median((taken - latency) / size for size, taken in large.items())
    # The largest of the small ones carry bytes that count, now that it is known what a byte takes.
    latency = statistics.median(max(0.0, taken - per_byte * size) for size, taken in small.items())
    return latency, statistics.median((taken - latency) / size for size, taken in large.items())


def _error(values: Sequence[float]) -> float:
    return float(redrawn_medians(values).std())
