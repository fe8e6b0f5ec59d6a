"""A study from its start to its end, whatever ends it."""

import os
import signal
from collections.abc import Callable

import psutil
import pytest

from dpdash.core.config import EngineName
from dpdash.core.scaling.study import Study, StudyStatus
from dpdash.core.scaling.variants import Variant
from dpdash.scaling.live import GONE, NOT_STARTED, LiveStudy, Measuring, MeasuringProcess
from tests.fakes import FakeClock, FakeMeasuring, eventually
from tests.unit.sweeps.conftest import plan_of

LONG = 60.0
ROUND = 10
"""Measurements of a round of one device and of two and three CPU replicas."""


def new(**changes: object) -> Study:
    return Study("study", "ann", 5.0, plan_of(**changes), 2, 0)


def live_with(measuring: Measuring, study: Study | None = None, **options: object) -> LiveStudy[Study]:
    return LiveStudy(study or new(), begin=lambda: measuring, **options)  # type: ignore[arg-type]


def after(num_measurements: int, do: Callable[[], None]) -> Callable[[Study], None]:
    """Does something once so much is kept."""

    def look(study: Study) -> None:
        if len(study.measurements) == num_measurements:
            do()

    return look


def lives(process: psutil.Process) -> bool:
    """Whether it still does something: a zombie only waits for whoever inherits it."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_all_is_measured_and_kept_from_what_can_be_compared_on() -> None:
    measuring, kept = FakeMeasuring(lambda config: 100.0 * config.replicas), list[Study]()
    live = live_with(measuring, keep=kept.append)
    live.start()
    assert live.wait(LONG)
    shown = live.snapshot()
    assert (shown.study.status, shown.num_measured, shown.seconds_left) == (StudyStatus.FINISHED, 2 * ROUND, None)
    # The most replicas are measured first, and their own engine last of their ways.
    assert [len(study.measurements) for study in kept] == [*range(6, 21), 20]
    assert kept[-1] == shown.study
    assert measuring.is_hung_up
    assert {one.variant for one in shown.study.measurements} >= {Variant.WHOLE_CPU, Variant.ONE_BACKWARD}


def test_cancel_keeps_the_rounds_that_are_whole() -> None:
    measuring = FakeMeasuring(lambda config: 100.0)
    live = live_with(measuring, keep=after(ROUND + 3, measuring.gate.clear))
    live.start()
    eventually(lambda: live.snapshot().num_measured == ROUND + 3)
    assert live.snapshot().seconds_left is not None
    live.cancel()
    live.cancel(StudyStatus.OUT_OF_TIME)
    assert live.wait(LONG)
    shown = live.snapshot().study
    assert (shown.status, len(shown.measurements), shown.message) == (StudyStatus.CANCELLED, ROUND, "")


def test_what_is_cancelled_before_anything_can_be_compared_is_not_kept() -> None:
    measuring, kept = FakeMeasuring(lambda config: 100.0), list[Study]()
    measuring.gate.clear()
    live = live_with(measuring, keep=kept.append)
    live.start()
    eventually(lambda: measuring.turns)
    live.cancel()
    assert live.wait(LONG)
    assert live.snapshot().study.status is StudyStatus.CANCELLED
    assert kept == []


def test_a_study_ends_when_its_time_is_over() -> None:
    measuring, kept = FakeMeasuring(lambda config: 100.0), list[Study]()
    measuring.gate.clear()
    live = live_with(measuring, longest_seconds=0.05, keep=kept.append)
    live.start()
    assert live.wait(LONG)
    assert live.snapshot().study.status is StudyStatus.OUT_OF_TIME
    assert [study.status for study in kept] == [StudyStatus.OUT_OF_TIME], "it is said that nothing came of it"


def test_what_is_cancelled_while_its_process_starts_measures_nothing() -> None:
    measuring = FakeMeasuring(lambda config: 100.0)

    def begin() -> Measuring:
        live.cancel()
        return measuring

    live = LiveStudy(new(), begin=begin)
    live.start()
    assert live.wait(LONG)
    assert (measuring.turns, measuring.is_hung_up) == ([], True)


def test_a_measurement_that_fails_ends_the_study_with_its_sentence() -> None:
    kept = list[Study]()
    failing = FakeMeasuring(lambda config: 100.0, failure="The memory of this machine is full.")
    live = live_with(failing, keep=kept.append)
    live.start()
    assert live.wait(LONG)
    shown = live.snapshot().study
    assert (shown.status, shown.message) == (StudyStatus.FAILED, "The memory of this machine is full.")
    assert kept == [shown]


def test_a_process_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_module: str, _num_threads: int) -> None:
        raise OSError

    monkeypatch.setattr("dpdash.scaling.live.started", fail)
    live = LiveStudy(new())
    live.start()
    assert live.wait(LONG)
    assert live.snapshot().study.message == NOT_STARTED


def test_a_process_that_never_is_ready_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dpdash.scaling.live.MODULE", "dpdash.no_such_module")
    live = LiveStudy(new())
    live.start()
    assert live.wait(LONG)
    assert live.snapshot().study.message == NOT_STARTED


def test_what_nobody_expected_ends_the_study_too(caplog: pytest.LogCaptureFixture) -> None:
    live = live_with(FakeMeasuring(lambda config: 1 / 0))
    live.start()
    assert live.wait(LONG)
    shown = live.snapshot().study
    assert (shown.status, shown.message) == (StudyStatus.FAILED, "ZeroDivisionError: division by zero")
    assert "A study broke." in caplog.text


def test_time_left_follows_from_what_measuring_has_taken() -> None:
    clock = FakeClock()

    def rate(_config: object) -> float:
        clock.now += 2.0
        return 100.0

    measuring = FakeMeasuring(rate, clock=clock)
    live = live_with(measuring, keep=after(ROUND + 4, measuring.gate.clear), clock=clock)
    assert live.snapshot().seconds_left == pytest.approx(2 * ROUND * 0.2)
    live.start()
    eventually(lambda: live.snapshot().num_measured == ROUND + 4)
    assert live.snapshot().seconds_left == pytest.approx(6 * 2.0)
    clock.now += 3.0
    assert live.snapshot().seconds_left == pytest.approx(9.0), "a turn that is under way is time too"
    clock.now += 300.0
    assert live.snapshot().seconds_left == 0.0
    live.cancel()
    assert live.wait(LONG)


def test_what_does_not_fit_is_said_in_the_study() -> None:
    clock = FakeClock()

    def rate(_config: object) -> float:
        clock.now += 1.0
        return 100.0

    live = live_with(FakeMeasuring(rate, clock=clock), new(replicas=5), longest_seconds=28.0, clock=clock)
    live.start()
    assert live.wait(LONG)
    study = live.snapshot().study
    assert (study.status, study.left_out, study.rounds) == (StudyStatus.FINISHED, (3, 4), None)
    assert len(study.measurements) == study.num_wanted == 2 * ROUND


def test_a_real_process_measures_and_its_death_is_told() -> None:
    begun: list[MeasuringProcess] = []

    def begin() -> Measuring:
        begun.append(MeasuringProcess())
        return begun[0]

    live = LiveStudy(new(replicas=2, repeats=20, seconds=0.05), begin=begin)
    live.start()
    eventually(lambda: live.snapshot().num_measured >= 7, LONG)
    os.kill(begun[0].pid, signal.SIGKILL)
    assert live.wait(LONG)
    shown = live.snapshot().study
    assert (shown.status, shown.message) == (StudyStatus.FAILED, GONE)
    assert len(shown.measurements) >= 6
    assert all(one.other_programs is not None for one in shown.measurements)


@pytest.mark.long
def test_cancelling_ends_the_ranks_of_ddp_too() -> None:
    begun: list[MeasuringProcess] = []

    def begin() -> Measuring:
        begun.append(MeasuringProcess())
        return begun[0]

    live = LiveStudy(new(engines=(EngineName.DDP,), replicas=2, repeats=20, seconds=0.05), begin=begin)
    live.start()
    eventually(lambda: live.snapshot().num_measured >= 10, LONG)
    below = psutil.Process(begun[0].pid).children(recursive=True)
    assert len(below) >= 3, "torchrun and two ranks"
    live.cancel()
    assert live.wait(LONG)
    eventually(lambda: not any(map(lives, below)))
    study = live.snapshot().study
    assert study.status is StudyStatus.CANCELLED
    assert {one.variant for one in study.measurements} >= {Variant.NO_EXCHANGE, Variant.FIRST_ALL_REDUCE}
