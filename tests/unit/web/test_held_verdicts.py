"""That what is said of a run can be read before it changes, and is the same for all who watch."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from dpdash.core.config import RunConfig
from dpdash.core.events import EpochBlock, LearningRateChanged, RunEvent, RunPaused, RunStarted, RunStatus
from dpdash.core.history import History
from dpdash.findings.run import Verdict, VerdictKind
from dpdash.runs.service import RunSnapshot
from dpdash.store.errors import HEALTHY
from dpdash.web.held_verdicts import HELD_SECONDS, MOST_HELD, HeldVerdicts

STARTED = RunStarted(0.0, ("CPU",), (10,), emulated=False, one_device_step_seconds=None)


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def held(clock: Clock) -> HeldVerdicts:
    return HeldVerdicts(clock)


@pytest.fixture
def sentences() -> Iterator[Verdict]:
    return (Verdict(VerdictKind.STILL_FALLING, f"the {number}. one") for number in count(1))


def snapshot(*events: RunEvent) -> RunSnapshot:
    history, ones = History(), np.ones(1)
    history.fold(STARTED)
    history.fold(EpochBlock(1, ones, ones, ones, ones, ones))
    for event in events:
        history.fold(event)
    taken = history.snapshot()
    return RunSnapshot("a", RunConfig(), "me", taken.status, taken, None, None, None, True, True, 0.0, HEALTHY)


def test_a_verdict_stands_for_two_seconds_whoever_asks(
    held: HeldVerdicts, clock: Clock, sentences: Iterator[Verdict]
) -> None:
    said = []
    for clock.now in (0.0, 0.5, HELD_SECONDS - 0.01, HELD_SECONDS, HELD_SECONDS + 1.9):
        said.append(str(held.of(snapshot(), lambda: next(sentences))))
    assert said == ["the 1. one"] * 3 + ["the 2. one"] * 2


@pytest.mark.parametrize(
    "event", [RunPaused(1), LearningRateChanged(1, 0.5)], ids=["stands still", "another rate"]
)
def test_what_somebody_does_is_answered_at_once(
    held: HeldVerdicts, sentences: Iterator[Verdict], event: RunEvent
) -> None:
    held.of(snapshot(), lambda: next(sentences))
    assert str(held.of(snapshot(event), lambda: next(sentences))) == "the 2. one"


def test_a_run_that_stands_still_is_judged_anew_at_each_step(
    held: HeldVerdicts, sentences: Iterator[Verdict]
) -> None:
    paused = snapshot(RunPaused(1))
    assert [str(held.of(paused, lambda: next(sentences))) for _step in range(2)] == ["the 1. one", "the 2. one"]


def test_nothing_to_say_is_not_held(held: HeldVerdicts, sentences: Iterator[Verdict]) -> None:
    assert held.of(snapshot(), lambda: None) is None
    assert str(held.of(snapshot(), lambda: next(sentences))) == "the 1. one"


def test_runs_do_not_speak_for_each_other_and_old_ones_are_let_go_of(
    held: HeldVerdicts, sentences: Iterator[Verdict]
) -> None:
    first = snapshot()
    assert first.status is RunStatus.RUNNING
    held.of(first, lambda: next(sentences))
    for number in range(MOST_HELD):
        held.of(replace(first, run_id=str(number)), lambda: next(sentences))
    assert str(held.of(first, lambda: next(sentences))) == f"the {MOST_HELD + 2}. one"
