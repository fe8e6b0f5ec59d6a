import pytest
import torch

from dpdash.core.steps import Phase, Span
from dpdash.training.trace.stopwatch import Stopwatch

CPU = torch.device("cpu")


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr("dpdash.training.trace.stopwatch.time.perf_counter", clock)
    return clock


def note(stopwatch: Stopwatch, clock: FakeClock, phase: Phase, lane: int, seconds: float) -> None:
    end = stopwatch.begin(phase, lane)
    clock.now += seconds
    end()


def test_a_pause_is_not_counted(clock: FakeClock) -> None:
    stopwatch = Stopwatch([CPU, CPU])
    stopwatch.start()
    clock.now += 1
    note(stopwatch, clock, Phase.GATHER, 0, 2)
    stopwatch.pause()
    clock.now += 50
    stopwatch.start()
    clock.now += 1
    note(stopwatch, clock, Phase.LOSS, 1, 3)
    stopwatch.pause()
    assert stopwatch.step().spans == (Span(Phase.GATHER, 0, 1, 2), Span(Phase.LOSS, 1, 4, 3))
    assert stopwatch.seconds == 7


def test_what_follows_without_another_phase_between_is_one_span(clock: FakeClock) -> None:
    stopwatch = Stopwatch([CPU, CPU])
    stopwatch.start()
    for lane in (0, 0, 1, 0, 0):
        note(stopwatch, clock, Phase.BACKWARD, lane, 1)
        clock.now += 1
    note(stopwatch, clock, Phase.REDUCE, 0, 1)
    stopwatch.pause()
    assert [(span.phase, span.lane, span.start, span.seconds) for span in stopwatch.step().spans] == [
        (Phase.BACKWARD, 0, 0, 3),
        (Phase.BACKWARD, 1, 4, 1),
        (Phase.BACKWARD, 0, 6, 3),
        (Phase.REDUCE, 0, 10, 1),
    ]


def test_what_overlaps_can_be_told_one_by_one(clock: FakeClock) -> None:
    clock.now = 7.0
    stopwatch = Stopwatch([CPU])
    stopwatch.start()
    ends = [stopwatch.begin(Phase.REDUCE, 0)]
    clock.now += 1
    ends.append(stopwatch.begin(Phase.REDUCE, 0))
    clock.now += 1
    for end in ends:
        end()
    stopwatch.pause()
    assert stopwatch.each() == (Span(Phase.REDUCE, 0, 0, 2), Span(Phase.REDUCE, 0, 1, 1))
    assert stopwatch.began_at == 7.0


def test_what_ends_within_another_span_does_not_shorten_it(clock: FakeClock) -> None:
    stopwatch = Stopwatch([CPU])
    stopwatch.start()
    end = stopwatch.begin(Phase.BACKWARD, 0)
    clock.now += 1
    note(stopwatch, clock, Phase.BACKWARD, 0, 1)
    clock.now += 3
    end()
    stopwatch.pause()
    assert stopwatch.step().spans == (Span(Phase.BACKWARD, 0, 0, 5),)


class FakeEvent:
    """A CUDA event whose device has a clock of its own, which cannot be compared with another's."""

    clock: FakeClock

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing

    def record(self, stream: torch.device) -> None:
        self.device, self.at = stream, self.clock.now + 1000 * stream.index

    def elapsed_time(self, later: "FakeEvent") -> float:
        assert later.device == self.device
        return 1000 * (later.at - self.at)


def test_on_gpus_each_lane_has_its_own_clock_and_lanes_work_at_once(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeEvent.clock = clock
    monkeypatch.setattr("torch.cuda.Event", FakeEvent)
    monkeypatch.setattr("torch.cuda.current_stream", lambda device: device)
    waits: list[torch.device] = []
    monkeypatch.setattr("torch.cuda.synchronize", waits.append)
    stopwatch = Stopwatch([torch.device("cuda", 0), torch.device("cuda", 1)])
    stopwatch.start()
    ends = []
    for lane in (0, 1, 0, 1):
        ends.append(stopwatch.begin(Phase.BACKWARD, lane))
        clock.now += 1
    for end in ends:
        end()
    stopwatch.pause()
    assert stopwatch.step().spans == (Span(Phase.BACKWARD, 0, 0, 4), Span(Phase.BACKWARD, 1, 1, 3))
    assert stopwatch.seconds == 4
    assert set(waits) == {torch.device("cuda", 0), torch.device("cuda", 1)}
