"""Latency and time per byte out of transfers, and what buckets and micro-batches do, out of steps."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.exchange_study import SIZES, DdpStep, Subject, Transfer
from dpdash.core.scaling.variants import Variant
from dpdash.findings.scaling.exchange import exchange_curves, fitted, in_step
from tests.unit.findings.scaling.made_up_exchanges import (
    COMPUTING,
    EXCHANGE,
    LATENCY,
    PER_BYTE,
    seconds_of,
    step_of,
    study_of,
)

MS = 1e6
"""Nanoseconds."""


@given(st.floats(1e-6, 1e-2), st.floats(1e-11, 1e-7), st.integers(1, 9))
def test_a_line_is_found_again(latency: float, per_byte: float, rounds: int) -> None:
    line = fitted([{size: latency + per_byte * size for size in SIZES}] * rounds)
    assert line is not None
    # The median of the small sizes is that of 1 KiB and less, whose own bytes are taken out again.
    assert line.latency == pytest.approx(latency, rel=0.01)
    assert line.per_byte == pytest.approx(per_byte, rel=0.01)
    assert line.latency_error == pytest.approx(0, abs=1e-9 * latency)
    assert line.per_byte_error == pytest.approx(0, abs=1e-9 * per_byte)
    assert line.seconds(0) == line.latency


@given(st.integers(0, 2**32), st.floats(2.0, 10.0))
def test_sizes_between_the_ends_and_turns_that_were_disturbed_move_nothing(seed: int, times: float) -> None:
    draw = random.Random(seed)
    rounds = []
    for number in range(7):
        seconds = {size: LATENCY + PER_BYTE * size for size in SIZES}
        for size in (2**18, 2**19, 2**20):
            seconds[size] *= draw.choice((1.0, times))
        for size in seconds if number in (2, 5) else ():
            seconds[size] *= times
        rounds.append(seconds)
    line = fitted(rounds)
    assert line is not None
    assert line.latency == pytest.approx(LATENCY, rel=0.02)
    assert line.per_byte == pytest.approx(PER_BYTE, rel=0.02)


def test_without_both_ends_there_is_no_line() -> None:
    small, large = ({4: 1e-4}, {2**24: 1e-2})
    assert fitted([small, large]) is None
    assert fitted([]) is None
    assert fitted([small | large]) is not None


def test_each_way_has_a_curve_with_its_own_line() -> None:
    curves = exchange_curves(study_of(replicas=3))
    ways = [(curve.way, curve.replicas) for curve in curves]
    torchs = ExchangeWay.ALL_REDUCE
    assert ways == [(torchs, 2), (torchs, 3), (ExchangeWay.RING, 3), (ExchangeWay.NAIVE, 3)]
    latencies = [curve.line.latency / LATENCY for curve in curves if curve.line]
    assert latencies == pytest.approx([1, 2, 4, 6], rel=0.01)
    assert [size.num_bytes for size in curves[0].sizes] == sorted(size.num_bytes for size in curves[0].sizes)


def test_sizes_off_the_line_are_told() -> None:
    def bimodal(turn: Subject) -> float:
        is_odd = isinstance(turn, Transfer) and turn.num_bytes in (2**18, 2**19)
        return seconds_of(turn) * (2 if is_odd else 1)

    off = [size.num_bytes for size in exchange_curves(study_of(bimodal))[0].sizes if size.is_off]
    assert off == [2**18, 2**19]
    assert not any(size.is_off for size in exchange_curves(study_of())[0].sizes)


def test_a_study_of_which_little_is_measured_has_no_line_yet() -> None:
    whole = study_of()
    begun = replace(whole, measurements=whole.measurements[:3])
    (curve,) = exchange_curves(begun)
    assert curve.line is None and len(curve.sizes) == 3 and not any(size.is_off for size in curve.sizes)
    assert exchange_curves(replace(whole, measurements=())) == ()
    assert in_step(begun) is None


def test_what_buckets_hide_is_what_one_bucket_takes_longer() -> None:
    found = in_step(study_of())
    assert found is not None
    assert found.exchange.nanoseconds == pytest.approx(EXCHANGE * 1e3 * MS)
    one, own, *many = found.buckets
    assert (one.count, one.hidden.nanoseconds) == (1, 0)
    assert (own.cap_mb, own.count) == (None, 2)
    assert own.hidden.nanoseconds == pytest.approx(EXCHANGE / 2 * 1e3 * MS)
    assert [each.count for each in many] == [3, 5]
    assert found.without.nanoseconds == COMPUTING * 1e3 * MS
    assert found.saved.nanoseconds == 0 and found.best.cap_mb is None


def test_the_best_size_has_the_shortest_step() -> None:
    whole = study_of()
    finest = step_of(whole, bucket_cap_mb=whole.plan.bucket_caps[-1])
    found = in_step(study_of(lambda turn: COMPUTING if turn == finest else seconds_of(turn)))
    assert found is not None
    assert found.best.cap_mb == finest.bucket_cap_mb
    assert found.saved.nanoseconds == pytest.approx(EXCHANGE / 2 * 1e3 * MS)


def test_no_size_is_called_the_best_that_is_not_shorter_beyond_its_error() -> None:
    whole = study_of()
    finest = step_of(whole, bucket_cap_mb=whole.plan.bucket_caps[-1])
    draw = random.Random(0)

    def hardly_shorter(turn: Subject) -> float:
        return seconds_of(turn) * (0.9999 if turn == finest else 1)

    def noisy(turn: Subject) -> float:
        return hardly_shorter(turn) * draw.uniform(0.8, 1.2)

    once = in_step(study_of(hardly_shorter, repeats=1))
    assert once is not None
    assert once.best is once.usual and once.saved.nanoseconds == 0
    found = [in_step(study_of(noisy, repeats=7)) for _study in range(40)]
    assert sum(one is not None and one.best is not one.usual for one in found) <= 4


def test_accumulation_saves_all_exchanges_but_one() -> None:
    found = in_step(study_of())
    assert found is not None
    saved = {each.micro_batches: each.saved.nanoseconds for each in found.accumulations}
    assert saved == {count: pytest.approx((count - 1) * EXCHANGE * 1e3 * MS) for count in (2, 4, 8)}


def test_the_line_model_has_one_bucket() -> None:
    found = in_step(study_of(hidden_depth=0))
    assert found is not None
    assert [(each.cap_mb, each.count) for each in found.buckets] == [(None, 1)]
    assert found.usual is found.best


def test_steps_are_compared_only_over_the_turns_that_all_of_them_have() -> None:
    whole = study_of(noise=0.1)
    cut = replace(whole, measurements=whole.measurements[:-1])
    found = in_step(cut)
    assert found is not None
    two_turns = sorted(whole.of(DdpStep(2, Variant.NO_EXCHANGE))[:2])
    assert found.without.nanoseconds == pytest.approx(sum(two_turns) / 2 * 1e3 * MS)
