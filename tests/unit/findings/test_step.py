"""What is said of a step, from spans that are made up so that the answer is known."""

from dataclasses import replace

import pytest

from dpdash.core.steps import (
    Entry,
    OneStep,
    Phase,
    Quartiles,
    ReplicaStep,
    Span,
    StepTrace,
    seconds_on_clock,
    step_times,
)
from dpdash.findings.step import (
    StepSentence,
    StepVerdictKind,
    mostly_watching,
    phase_shares,
    step_verdict,
    tracing_cost,
)


def replica(shard_size: int, weight: float) -> ReplicaStep:
    return ReplicaStep("CPU", shard_size, (), weight, (0.0,), 0, 0, None)


def step(*spans: Span, shards: tuple[int, ...] = (50, 50), seconds: float = 0.010) -> StepTrace:
    total = sum(shards)
    replicas = tuple(replica(size, size / total) for size in shards)
    return StepTrace("cpu_replicas", True, total, ("w",), 1, replicas, (0.0,), (0.0,), 0.0, spans, seconds)


def span(phase: Phase, milliseconds: float, start: float = 0.0, lane: int = 0) -> Span:
    return Span(phase, lane, start / 1e3, milliseconds / 1e3)


def kinds(trace: StepTrace) -> list[StepVerdictKind]:
    return [sentence.kind for sentence in step_verdict(trace)]


def test_what_happens_at_once_counts_once() -> None:
    spans = [span(Phase.PARALLEL_APPLY, 4, start, lane) for lane, start in enumerate((0, 2, 20, 21))]
    assert seconds_on_clock(spans) == pytest.approx(0.006 + 0.005)
    assert seconds_on_clock([span(Phase.BACKWARD, 9), span(Phase.BACKWARD, 1, 3)]) == pytest.approx(0.009)
    assert seconds_on_clock([]) == 0
    assert step(*spans, span(Phase.LOSS, 1)).seconds_in(Phase.PARALLEL_APPLY) == pytest.approx(0.006 + 0.005)


def test_shares_are_those_of_the_clock_in_the_order_of_a_step() -> None:
    trace = step(
        span(Phase.BACKWARD, 2, 6),
        span(Phase.PARALLEL_APPLY, 4, 0, 0),
        span(Phase.PARALLEL_APPLY, 4, 1, 1),
        span(Phase.REDUCE, 1, 8),
    )
    assert phase_shares(trace) == pytest.approx(
        {Phase.PARALLEL_APPLY: 0.5, Phase.BACKWARD: 0.2, Phase.REDUCE: 0.1}
    )
    assert list(phase_shares(trace)) == [Phase.PARALLEL_APPLY, Phase.BACKWARD, Phase.REDUCE]


@pytest.mark.parametrize(
    ("phase", "kind"),
    [
        (Phase.PARALLEL_APPLY, StepVerdictKind.COMPUTING),
        (Phase.BACKWARD, StepVerdictKind.COMPUTING),
        (Phase.SCATTER, StepVerdictKind.MOVING),
        (Phase.REPLICATE, StepVerdictKind.MOVING),
        (Phase.GATHER, StepVerdictKind.MOVING),
        (Phase.REDUCE, StepVerdictKind.MOVING),
        (Phase.LOSS, StepVerdictKind.UPDATING),
        (Phase.OPTIMIZER, StepVerdictKind.UPDATING),
    ],
)
def test_the_longest_part_is_what_is_named(phase: Phase, kind: StepVerdictKind) -> None:
    (said,) = step_verdict(step(span(phase, 6), span(Phase.GATHER, 1, 6)))
    assert said.kind is kind
    share = 70 if kind is StepVerdictKind.MOVING else 60
    assert "10 ms" in str(said) and f"{share} % of" in str(said)


def test_an_update_that_every_replica_does_is_not_called_the_firsts() -> None:
    (said,) = step_verdict(step(span(Phase.OPTIMIZER, 6, 0, 0), span(Phase.OPTIMIZER, 6, 1, 1)))
    assert said.kind is StepVerdictKind.UPDATING
    assert "70 % of" in str(said) and "first device" not in str(said)


def test_time_in_which_nothing_is_noted_lies_between_the_phases() -> None:
    (said,) = step_verdict(step(span(Phase.BACKWARD, 2), span(Phase.REDUCE, 1, 5)))
    assert said.kind is StepVerdictKind.BETWEEN
    assert str(said).startswith("70 % of the 10 ms passed between the phases")


def test_one_device_moves_nothing() -> None:
    trace = step(span(Phase.PARALLEL_APPLY, 5), span(Phase.OPTIMIZER, 2, 6), shards=(100,))
    assert kinds(trace) == [StepVerdictKind.ONE_DEVICE]
    assert "50 %" in str(step_verdict(trace)[0]) and "30 % passed between" in str(step_verdict(trace)[0])


def said_of(trace: StepTrace, kind: StepVerdictKind) -> StepSentence:
    (said,) = [said for said in step_verdict(trace) if said.kind is kind]
    return said


def test_replicas_that_worked_at_once_are_told_from_those_that_took_turns() -> None:
    at_once = step(*(span(Phase.PARALLEL_APPLY, 6, 0, lane) for lane in range(2)))
    said = said_of(at_once, StepVerdictKind.OVERLAP)
    assert said.values["atonce"] == pytest.approx(2.0)
    assert str(said).endswith("on average 2 of them ran at once.")
    for num, told in ((2, "one replica waited for the other."), (3, "each of 3 replicas waited for the others.")):
        in_turns = step(*(span(Phase.PARALLEL_APPLY, 3, 3 * lane, lane) for lane in range(num)))
        assert str(said_of(in_turns, StepVerdictKind.OVERLAP)) == f"Nothing ran at the same time: {told}"


@pytest.mark.parametrize(
    ("starts", "gap"),
    [((0, 1, 8), 6), ((6, 7, 8), 6), ((0, 1, 2), 7)],
    ids=["between", "before the first", "after the last"],
)
def test_a_pause_beside_which_phases_are_hairlines_is_said(starts: tuple[int, ...], gap: int) -> None:
    trace = step(*(span(Phase.BACKWARD, 1, start) for start in starts))
    assert str(said_of(trace, StepVerdictKind.GAP)).startswith(f"For {gap} ms in a row nothing ran, {gap} times")


def test_a_pause_beside_which_phases_can_be_seen_is_not_said() -> None:
    """Five phases long, or a third of the step."""
    assert StepVerdictKind.GAP not in kinds(step(*(span(Phase.BACKWARD, 1, start) for start in (0, 1, 7, 8, 9))))
    bars = (span(Phase.BACKWARD, 1), span(Phase.BACKWARD, 1, 1), span(Phase.OPTIMIZER, 12, 8))
    assert StepVerdictKind.GAP not in kinds(step(*bars, seconds=0.020))
    assert StepVerdictKind.GAP not in kinds(step())


def test_who_has_nothing_to_do_is_counted() -> None:
    trace = step(span(Phase.BACKWARD, 6), shards=(3, 3, 3, 0))
    assert kinds(trace)[-1] is StepVerdictKind.IDLE
    assert str(step_verdict(trace)[-1]).startswith("1 of 4 replicas had nothing to do: 9 samples")


def many(*backward: float, marks: float = 0.0, untraced: tuple[float, ...] = (4.0,)) -> StepTrace:
    """Steps of 10 ms with so many milliseconds of backward each; the first is the one that is drawn."""
    steps = [OneStep((span(Phase.BACKWARD, each),), 0.010) for each in backward]
    seconds = [each / 1e3 for each in untraced]
    times = step_times(steps, seconds, {Phase.BACKWARD: marks / 1e3})
    return replace(step(*steps[0].spans, shards=(100,)), times=times)


def test_what_is_said_are_medians_and_not_the_step_that_is_drawn() -> None:
    trace = many(9, 1, 2, 2, 3)
    assert phase_shares(trace) == pytest.approx({Phase.BACKWARD: 0.2})
    assert "took 20 % of it" in str(step_verdict(trace)[0]) and "80 % passed between" in str(
        step_verdict(trace)[0]
    )


def test_what_tracing_costs_is_said_with_the_number_of_steps() -> None:
    said = str(tracing_cost(many(2, 2, 2, untraced=(8, 7, 9))))
    assert said.startswith("3 warm steps") and said.endswith(
        "a step takes 10 ms, unwatched, in turns, 8 ms: 1.25 times as long."
    )
    assert "One step alone" in str(tracing_cost(step(span(Phase.BACKWARD, 2))))


@pytest.mark.parametrize(("marks", "is_told"), [(0.4, False), (1.0, True)])
def test_a_phase_that_is_mostly_the_stopwatch_is_told(marks: float, is_told: bool) -> None:
    told = [time.phase for time in mostly_watching(many(2, 2, 2, marks=marks))]
    assert told == [Phase.BACKWARD] * is_told


def entering(*after: float, spread: float = 0.1) -> StepTrace:
    """A step of 50 ms whose ranks enter their first all-reduce so many milliseconds after backward began."""
    entries = [
        Entry(lane, Quartiles(each / 1e3, (each - spread) / 1e3, (each + spread) / 1e3))
        for lane, each in enumerate(after)
    ]
    spans = tuple(span(Phase.BACKWARD, 28, 1, lane) for lane in range(len(after)))
    times = step_times([OneStep(spans, 0.050)], [0.050], entries=entries)
    return replace(step(*spans, shards=(50,) * len(after)), times=times)


def test_a_rank_that_is_slow_inside_backward_is_named_though_backward_is_as_long_for_all() -> None:
    said = str(said_of(entering(0.6, 20.9), StepVerdictKind.SLOW_RANK))
    assert (
        said.startswith("Replica 1 was slow inside backward")
        and "20.9 ms" in said
        and "the other after 0.6 ms" in said
    )
    said = str(said_of(entering(20.9, 0.6, 0.8, 0.7), StepVerdictKind.SLOW_RANK))
    assert said.startswith("Replica 0") and "the others after 0.7 ms" in said


def test_adding_up_that_waits_for_a_slow_rank_is_not_called_what_limits() -> None:
    trace = entering(0.6, 20.9)
    waiting = step_times([OneStep((span(Phase.REDUCE, 40),), 0.050)], [0.050], entries=trace.timed.entries)
    assert kinds(replace(trace, times=waiting)) == [StepVerdictKind.SLOW_RANK]
    assert kinds(trace)[:2] == [StepVerdictKind.COMPUTING, StepVerdictKind.SLOW_RANK]


def test_forwards_of_ranks_one_after_the_other_are_no_wait() -> None:
    forwards = tuple(span(Phase.PARALLEL_APPLY, 1, 2 * lane, lane) for lane in range(2))
    for entries, num_said in ((entering(0.6, 0.6).timed.entries, 0), ((), 1)):
        times = step_times([OneStep(forwards, 0.010)], [0.010], entries=entries)
        said = kinds(replace(step(*forwards), times=times))
        assert said.count(StepVerdictKind.OVERLAP) == num_said


@pytest.mark.parametrize(
    "trace",
    [entering(0.6), entering(0.6, 2.9), entering(9.0, 20.9, spread=8.0)],
    ids=["one rank", "no time to speak of", "not told apart"],
)
def test_ranks_that_are_alike_are_not_named(trace: StepTrace) -> None:
    assert StepVerdictKind.SLOW_RANK not in kinds(trace)
