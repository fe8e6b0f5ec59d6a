"""What many steps took, from spans that are made up so that the answer is known."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from dpdash.core.events import StepTraced
from dpdash.core.steps import Entry, OneStep, Phase, Quartiles, Span, StepTrace, nearest_to_median, step_times

TRACE = StepTrace("single", False, 1, (), 0, (), (), (), 0.0, (Span(Phase.LOSS, 0, 0.0, 0.25),), 1.0)
STEP_TRACED: TypeAdapter[StepTraced] = TypeAdapter(StepTraced)


def took(seconds: float, *spans: Span) -> OneStep:
    return OneStep(spans, seconds)


def test_quartiles_lie_about_the_median() -> None:
    assert Quartiles.of([5, 1, 2, 3, 4]) == Quartiles(median=3, low=2, high=4)
    assert Quartiles.of([7]) == Quartiles(7, 7, 7)
    assert Quartiles(3, 2, 5).half_width == 1.5


def test_the_step_that_is_drawn_is_near_the_median() -> None:
    steps = [took(seconds) for seconds in (9, 3, 2.5, 1, 4)]
    assert nearest_to_median(steps) is steps[1]
    assert nearest_to_median(steps[:2]).seconds in (9, 3)


def test_what_devices_do_at_once_counts_once_and_together_twice() -> None:
    forwards = [Span(Phase.PARALLEL_APPLY, lane, 0.1 * lane, 0.4) for lane in range(2)]
    (forward,) = step_times([took(1.0, *forwards)] * 3).phases
    assert forward.on_clock.median == pytest.approx(0.5)
    assert forward.together == pytest.approx(0.8)


def test_a_phase_that_only_some_steps_have_is_counted_in_all() -> None:
    times = step_times([took(1.0, Span(Phase.LOSS, 0, 0.0, 0.4)), took(1.0), took(1.0)], marks={Phase.LOSS: 0.1})
    (loss,) = times.phases
    assert (loss.on_clock.median, loss.marks) == (0, 0.1)
    assert times.between.median == 1.0
    assert times.seconds_in(Phase.REDUCE) == 0


def test_what_tracing_costs_is_the_ratio_of_the_medians() -> None:
    assert step_times([took(3.0)], [2.0, 1.0, 9.0]).cost == 1.5
    assert step_times([took(3.0)]).cost is None


def test_a_trace_that_is_stored_comes_back_with_what_its_steps_took() -> None:
    times = step_times([took(1.0, *TRACE.spans)] * 2, [0.5], {Phase.LOSS: 0.1}, [Entry(0, Quartiles(3, 2, 4))])
    event = StepTraced(1, replace(TRACE, times=times))
    assert STEP_TRACED.validate_json(STEP_TRACED.dump_json(event)) == event


def test_a_trace_of_an_older_version_is_one_step() -> None:
    stored: dict[str, Any] = STEP_TRACED.dump_python(StepTraced(1, TRACE), mode="json")
    del stored["trace"]["times"], stored["trace"]["is_memory_counted"]
    trace = STEP_TRACED.validate_python(stored).trace
    assert (trace.times, trace.timed.num_steps, trace.timed.untraced) == (None, 1, None)
    assert trace.seconds_in(Phase.LOSS) == 0.25
    assert trace.timed.traced.median == 1.0
