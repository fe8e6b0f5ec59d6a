"""Where a step is taken apart that no run does, with a process of which only the answers are there."""

import threading
from collections.abc import Callable

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import FrozenError, SettingError, TooManyRunsError
from dpdash.core.steps import StepTrace
from dpdash.runs.service import Pace, RunService
from dpdash.runs.traces import StepTracing
from dpdash.training.control import RunControl
from dpdash.training.trace import step as tracing
from tests.fakes import FakeEngine, eventually
from tests.unit.runs.conftest import MakeService

SMALL = RunConfig(samples=20)
WIDE = RunConfig(samples=10_000, hidden_depth=4, hidden_width=256)
"""10 240 000 values: more than a server takes itself, and fewer than a process that trains does."""
HERE, THERE = (StepTrace(engine, False, 1, (), 0, (), (), (), 0.0, (), 1.0) for engine in ("here", "there"))
Take = Callable[[StepTracing, RunConfig], object]
WAYS = pytest.mark.parametrize("take", [StepTracing.trace, StepTracing.chrome_trace], ids=["step", "profile"])


class Process:
    """A process that trains, of which only the answers are there."""

    def trace(self, config: RunConfig) -> StepTrace:
        return THERE

    def chrome_trace(self, config: RunConfig) -> bytes:
        return b"there"


class Processes:
    def __init__(self, process: Process | None) -> None:
        self._process = process

    def choose(self, control: RunControl) -> Process | None:
        return self._process


def steps(service: RunService, process: Process | None) -> StepTracing:
    return StepTracing(service, Processes(process))  # type: ignore[arg-type]  # the fake has what is asked for


@pytest.fixture
def traced_here(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """The steps that this process takes apart itself."""
    traced: list[RunConfig] = []

    def trace(config: RunConfig) -> StepTrace:
        traced.append(config)
        return HERE

    def profile(config: RunConfig) -> bytes:
        traced.append(config)
        return b"here"

    monkeypatch.setattr(tracing, "trace_config", trace)
    monkeypatch.setattr(tracing, "chrome_trace", profile)
    return traced


@WAYS
def test_a_process_that_trains_takes_the_step_and_this_one_does_not(
    take: Take, service: RunService, traced_here: list[RunConfig]
) -> None:
    assert take(steps(service, Process()), WIDE) in (THERE, b"there")
    assert traced_here == []
    assert take(steps(service, None), SMALL) in (HERE, b"here")
    assert traced_here == [SMALL]


@WAYS
def test_a_frozen_room_refuses_it_wherever_it_would_be_done(
    take: Take, service: RunService, traced_here: list[RunConfig]
) -> None:
    service.room.freeze(True)
    for process in (None, Process()):
        assert isinstance(steps(service, process).problem(SMALL), FrozenError)
        with pytest.raises(FrozenError, match="The teacher has paused"):
            take(steps(service, process), SMALL)
    service.room.freeze(False)
    assert steps(service, None).problem(SMALL) is None
    assert traced_here == []


@WAYS
@pytest.mark.parametrize(("process", "most"), [(Process(), 48_828), (None, 4_882)], ids=["there", "here"])
@pytest.mark.parametrize("setting", ["samples", "global_batch_size"])
def test_a_step_is_bounded_as_a_study_is_and_here_at_a_tenth(
    take: Take, process: Process | None, most: int, setting: str, service: RunService, traced_here: list[RunConfig]
) -> None:
    settings = {"samples": 100_000, "hidden_depth": 4, "hidden_width": 256}
    taken = steps(service, process)
    take(taken, RunConfig.parse(settings | {setting: most}))
    num_here = len(traced_here)
    with pytest.raises(SettingError, match=f"{most}.*Received: {most + 1}. Try {most}") as caught:
        take(taken, RunConfig.parse(settings | {setting: most + 1}))
    assert caught.value.setting == setting
    assert len(traced_here) == num_here == (process is None)


def test_here_it_holds_a_runs_slot_and_is_refused_where_there_is_none(
    make_service: MakeService, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(slots=1)
    is_tracing, may_end = threading.Event(), threading.Event()

    def trace(config: RunConfig) -> StepTrace:
        is_tracing.set()
        assert may_end.wait(30)
        return HERE

    monkeypatch.setattr(tracing, "trace_config", trace)
    taken = steps(service, None)
    thread = threading.Thread(target=taken.trace, args=(SMALL,))
    thread.start()
    assert is_tracing.wait(30)
    run_id = service.start(SMALL, "ann", Pace.full_speed())
    assert service.runs.snapshot(run_id).place == 1, "the step has the only slot"
    may_end.set()
    thread.join(30)
    eventually(lambda: service.runs.snapshot(run_id).place is None)
    with pytest.raises(TooManyRunsError, match="Runs have every slot"):
        taken.trace(SMALL)
    assert steps(service, Process()).trace(SMALL) is THERE, "a process needs none of this one's"
    service.stop(run_id, "ann")
    assert service.runs.wait(run_id, 30)
    eventually(lambda: service.runs.num_training() == 0)
    assert taken.trace(SMALL) is HERE


def test_a_step_that_fails_here_gives_its_slot_back(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(slots=1)

    def fail(config: RunConfig) -> StepTrace:
        raise tracing.TraceError("No luck.")

    monkeypatch.setattr(tracing, "trace_config", fail)
    for _ in range(2):
        with pytest.raises(tracing.TraceError, match="No luck"):
            steps(service, None).trace(SMALL)
    assert service.runs.num_training() == 0
