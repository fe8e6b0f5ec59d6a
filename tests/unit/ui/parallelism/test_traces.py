"""Steps that are measured beside the pages, with a measurement that waits for the test."""

import threading

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import DpdashError
from dpdash.core.steps import StepTrace
from dpdash.training.trace.step import TraceError
from dpdash.ui.parallelism.traces import MOST_WAITING, NUM_KEPT, StepTraces
from tests.fakes import eventually

TRACE = StepTrace("single", False, 1, (), 0, (), (), (), 0.0, (), 1.0)


def config(seed: int) -> RunConfig:
    return RunConfig(seed=seed)


def allowed(config: RunConfig) -> None:
    """Nothing speaks against any step."""


class Measurement:
    def __init__(self) -> None:
        self.measured: list[int] = []
        self.at_once = self.most_at_once = 0
        self.may_go = threading.Semaphore(0)

    def __call__(self, config: RunConfig) -> StepTrace:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.may_go.acquire()
        self.at_once -= 1
        self.measured.append(config.seed)
        return TRACE


def test_one_is_measured_at_a_time_and_once_however_many_ask() -> None:
    measurement = Measurement()
    traces = StepTraces(measurement, allowed)
    for seed in (1, 2, 1, 2):
        traces.ask(config(seed))
    assert traces.found(config(1))[1] and traces.found(config(2))[1] and traces.found(config(1))[0] is None
    measurement.may_go.release(2)
    eventually(lambda: not traces._waiting)
    assert measurement.measured == [1, 2] and measurement.most_at_once == 1
    traces.ask(config(1))
    assert not traces._waiting
    assert traces.found(config(1))[0] is TRACE


def test_the_old_one_is_there_until_the_new_one_is() -> None:
    measurement = Measurement()
    traces = StepTraces(measurement, allowed)
    measurement.may_go.release()
    traces.ask(config(1))
    eventually(lambda: not traces._waiting)
    traces.ask(config(1), anew=True)
    assert traces.found(config(1))[1] and traces.found(config(1))[0] is TRACE
    measurement.may_go.release()
    eventually(lambda: not traces._waiting)
    assert measurement.measured == [1, 1]


def test_a_crowd_cannot_queue_without_end_nor_be_kept_without_end() -> None:
    measurement = Measurement()
    traces = StepTraces(measurement, allowed)
    for seed in range(MOST_WAITING + 5):
        traces.ask(config(seed))
    assert not traces.found(config(MOST_WAITING))[1]
    measurement.may_go.release(2 * NUM_KEPT)
    eventually(lambda: not traces._waiting)
    for seed in range(100, 100 + NUM_KEPT):
        traces.ask(config(seed))
        eventually(lambda: not traces._waiting)
    assert traces.found(config(0))[0] is None
    assert traces.found(config(100))[0] is TRACE


def test_what_goes_wrong_is_said_and_the_next_one_is_measured() -> None:
    def measure(config: RunConfig) -> StepTrace:
        if config.seed == 1:
            raise DpdashError("No {what}.", what="luck")
        if config.seed == 2:
            raise ZeroDivisionError
        return TRACE

    traces = StepTraces(measure, allowed)
    for seed in (1, 2, 3):
        traces.ask(config(seed))
    eventually(lambda: not traces._waiting)
    known, unknown = traces.found(config(1))[0], traces.found(config(2))[0]
    assert str(known) == "No luck."
    assert isinstance(unknown, TraceError) and "ZeroDivisionError" in str(unknown)
    assert traces.found(config(3))[0] is TRACE


def test_what_may_not_be_measured_is_refused_at_once_and_what_is_known_stays() -> None:
    frozen = False
    measurement = Measurement()
    traces = StepTraces(measurement, lambda _: DpdashError("Frozen.") if frozen else None)
    measurement.may_go.release()
    traces.ask(config(1))
    eventually(lambda: not traces._waiting)
    frozen = True
    traces.ask(config(1))
    for asked, anew in ((1, True), (2, False)):
        with pytest.raises(DpdashError, match="Frozen"):
            traces.ask(config(asked), anew=anew)
    assert not traces._waiting and traces.found(config(1))[0] is TRACE and traces.found(config(2))[0] is None


def test_what_failed_is_tried_again_once_somebody_asks_for_any_step_anew() -> None:
    measured: list[int] = []

    def measure(config: RunConfig) -> StepTrace:
        measured.append(config.seed)
        raise DpdashError("No slot.")

    traces = StepTraces(measure, allowed)
    for seed, anew in ((1, False), (1, False), (2, True), (1, False)):
        traces.ask(config(seed), anew=anew)
        eventually(lambda: not traces._waiting)
    assert measured == [1, 2, 1]
