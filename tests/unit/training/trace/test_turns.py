"""How many steps a trace has, with steps whose seconds are made up."""

from collections.abc import Iterator
from itertools import count

import pytest

from dpdash.training.trace.turns import (
    LEAST_STEPS,
    LONGEST_SECONDS,
    NUM_STEPS,
    WARM_STEPS,
    Wish,
    in_turns,
    warm_up,
)


def alone(wish: bool) -> bool:
    """What one process agrees on with itself."""
    return wish


class Steps:
    """Steps that take so many seconds of a clock that nothing else moves."""

    def __init__(self, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.seconds = 0.0, seconds
        self.done: list[str] = []
        monkeypatch.setattr("dpdash.training.trace.turns.time.perf_counter", lambda: self.now)

    def traced(self) -> str:
        self._do("traced")
        return f"step {len(self.done)}"

    def untraced(self) -> float:
        self._do("untraced")
        return self.seconds

    def _do(self, kind: str) -> None:
        self.now += self.seconds
        self.done.append(kind)


@pytest.mark.parametrize(
    ("seconds", "num_steps"),
    [(0.001, NUM_STEPS), (1.0, NUM_STEPS), (4.0, LONGEST_SECONDS / 8), (1000.0, LEAST_STEPS)],
)
def test_there_are_twenty_steps_and_of_slow_ones_fewer(
    seconds: float, num_steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps(seconds, monkeypatch)
    traced, untraced = in_turns(steps.traced, steps.untraced, Wish(), alone)
    assert len(traced) == len(untraced) == num_steps


def test_each_kind_is_the_first_of_a_pair_as_often_as_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(0.001, monkeypatch)
    in_turns(steps.traced, steps.untraced, Wish(), alone)
    pairs = list(zip(steps.done[::2], steps.done[1::2], strict=True))
    assert pairs[:2] == [("untraced", "traced"), ("traced", "untraced")]
    assert pairs.count(pairs[0]) == pairs.count(pairs[1]) == NUM_STEPS / 2


def test_a_run_that_is_to_stop_waits_for_one_pair_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(0.5, monkeypatch)
    traced, untraced = in_turns(steps.traced, steps.untraced, Wish(is_wanted=lambda: False), alone)
    assert len(traced) == len(untraced) == 1


def test_what_others_have_to_do_too_is_as_many_as_the_leader_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, wishes = Steps(0.001, monkeypatch), count()
    traced, _untraced = in_turns(steps.traced, steps.untraced, Wish(), lambda _wish: next(wishes) < 5)
    assert len(traced) == 5


@pytest.mark.parametrize(
    ("seconds", "is_worth_it", "num_steps"),
    [
        ((0.07, 0.05, 0.001), True, WARM_STEPS),
        ((0.4,), False, 1),
        ((0.05, 0.2), False, 2),
        ((0.02, 0.01, 0.01), False, WARM_STEPS),
    ],
    ids=["quick once it is warm", "the first takes too long", "the second does", "all of them together do"],
)
def test_a_trace_that_takes_too_long_is_given_up_while_it_warms_up(
    seconds: tuple[float, ...], is_worth_it: bool, num_steps: int
) -> None:
    left: Iterator[float] = iter(seconds)
    assert warm_up(lambda: next(left), Wish(most_seconds=0.3), alone) is is_worth_it
    assert len(seconds) - len(list(left)) == num_steps
