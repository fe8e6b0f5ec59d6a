from collections.abc import Callable
from itertools import count, pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dpdash.core.config import RunConfig
from dpdash.core.events import (
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
)
from dpdash.core.optimum import Moments
from dpdash.training.checkpoint import Keeper, State
from dpdash.training.control import RunControl
from dpdash.training.engines.placement import OneDevice, Replicas
from dpdash.training.loop.epoch_loop import (
    CHECKPOINT_BYTES_PER_SECOND,
    CHECKPOINT_SECONDS,
    CHECKPOINT_SHARE,
    FLUSH_SECONDS,
)
from dpdash.training.loop.placement import Placement
from dpdash.training.loop.run import train
from dpdash.training.loop.setup import ROWS_PER_BLOCK
from dpdash.training.threads import AS_HERE
from tests.reference import listing

SMALL = RunConfig(samples=8, epochs=20)


def cpu() -> Placement:
    return OneDevice(torch.device("cpu"), ("CPU",))


class FakeClock:
    """Stands still, but for an epoch's time and for waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now


class FakeControl(RunControl):
    """Waits on a fake clock."""

    def __init__(self, clock: FakeClock, epochs_per_second: float | None = None) -> None:
        super().__init__(epochs_per_second)
        self._clock = clock
        self.on_wait: Callable[[], None] = lambda: None

    def wait(self, seconds: float, num_commands: int) -> None:
        self._clock.waits.append(seconds)
        self._clock.now += seconds
        self.on_wait()

    def wait_while_standing(self) -> None:
        self._clock.now += 1000
        self.resume()


def paused_at_once(control: RunControl, stops_at: int | None = None) -> list[RunEvent]:
    """What a run says that is paused after its first epoch, and asked for one epoch after the other."""
    events: list[RunEvent] = []

    def emit(event: RunEvent) -> None:
        events.append(event)
        match event:
            case EpochBlock(first_epoch=1):
                control.pause()
            case RunPaused(epoch=epoch) if epoch == stops_at:
                control.stop()
            case RunPaused():
                control.step_once()

    train(SMALL, emit, control, cpu)
    return events


def events_of(config: RunConfig, control: RunControl, clock: FakeClock) -> list[RunEvent]:
    events: list[RunEvent] = []
    train(config, events.append, control, cpu, clock)
    return events


def blocks_of(events: list[RunEvent]) -> list[EpochBlock]:
    return [event for event in events if isinstance(event, EpochBlock)]


def test_every_loss_of_the_default_run_is_the_listings() -> None:
    events = events_of(RunConfig(), RunControl(), FakeClock())
    losses = np.concatenate([block.loss for block in blocks_of(events)])
    reference, weight, bias = listing.losses()
    np.testing.assert_allclose(losses, reference, rtol=1e-5)
    assert losses[[99, 499]] == pytest.approx([32.1349, 0.4647], abs=5e-5)
    ending = events[-1]
    assert isinstance(ending, RunFinished)
    assert (ending.slope, ending.intercept) == pytest.approx((2.8425, -0.0061), abs=5e-5)
    assert (ending.slope, ending.intercept) == pytest.approx((weight, bias), rel=1e-4)


@pytest.mark.parametrize("batch", [None, 3])
def test_a_rows_loss_is_that_of_its_line_over_all_data(batch: int | None) -> None:
    config = RunConfig(samples=100, epochs=40, global_batch_size=batch)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        moments = Moments.of(*listing.draw(100, 0.5))
    for block in blocks_of(events_of(config, RunControl(), FakeClock())):
        np.testing.assert_allclose(block.loss, moments.loss_at(block.slope, block.intercept), rtol=1e-4)


def test_a_full_block_is_sent_before_its_time() -> None:
    config = RunConfig(samples=1, epochs=2 * ROWS_PER_BLOCK + 10)
    blocks = blocks_of(events_of(config, RunControl(), FakeClock()))
    assert [len(block) for block in blocks] == [1, ROWS_PER_BLOCK, ROWS_PER_BLOCK, 9]


def test_a_pace_is_slept_and_not_counted_as_training() -> None:
    clock = FakeClock()
    events = events_of(SMALL, FakeControl(clock, epochs_per_second=10), clock)
    assert clock.waits == pytest.approx([0.1] * 19)
    assert [len(block) for block in blocks_of(events)] == [1] * 20, "each row shows before the sleep"
    assert all(block.seconds.max() == 0 for block in blocks_of(events))


def test_a_fast_pace_still_sends_rows_some_twenty_times_a_second() -> None:
    clock = FakeClock()
    config = SMALL.model_copy(update={"epochs": 2000})
    num_blocks = len(blocks_of(events_of(config, FakeControl(clock, epochs_per_second=1000), clock)))
    assert clock.now == pytest.approx(2.0, rel=0.02)
    assert num_blocks == pytest.approx(2.0 / FLUSH_SECONDS, rel=0.2)


def test_pause_is_not_caught_up_and_not_counted() -> None:
    clock = FakeClock()
    control = FakeControl(clock, epochs_per_second=10)
    events: list[RunEvent] = []

    def emit(event: RunEvent) -> None:
        events.append(event)
        if isinstance(event, EpochBlock) and event.last_epoch == 10:
            control.pause()

    train(SMALL, emit, control, cpu, clock)
    assert clock.now == pytest.approx(1000 + 1.8, abs=0.11)
    assert all(block.seconds.max() == 0 for block in blocks_of(events))


def test_going_on_during_a_single_epoch_is_told_with_the_epoch_it_happened_in() -> None:
    class ImpatientControl(RunControl):
        def take_step(self) -> bool:
            asked = super().take_step()
            if asked:
                self.resume()
            return asked

    events = paused_at_once(ImpatientControl())
    assert [event for event in events if isinstance(event, RunPaused | RunResumed)] == [
        RunPaused(1),
        RunResumed(2),
    ]


def test_commands_cut_a_paces_sleep_short() -> None:
    clock = FakeClock()
    control = FakeControl(clock, epochs_per_second=0.1)

    def change() -> None:
        control.set_learning_rate(0.2)
        control.stop()

    control.on_wait = change
    ending = events_of(SMALL, control, clock)[-1]
    assert isinstance(ending, RunStopped) and ending.num_epochs == 1
    assert len(clock.waits) == 1


def test_rows_that_wait_while_a_learning_rate_is_moved_are_told_with_the_old_one() -> None:
    control, readings = RunControl(), count()

    def clock() -> float:
        if next(readings) == 12:
            control.set_learning_rate(0.2)
        return 0.0

    events: list[RunEvent] = []
    train(SMALL, events.append, control, cpu, clock)
    (place,) = (place for place, event in enumerate(events) if isinstance(event, LearningRateChanged))
    before, after = blocks_of(events[:place]), blocks_of(events[place:])
    assert len(before[-1]) > 1 and after, "it is moved while rows wait"
    assert events[place] == LearningRateChanged(before[-1].last_epoch + 1, 0.2)
    assert {rate for block in before for rate in block.learning_rate} == {SMALL.learning_rate}
    assert {rate for block in after for rate in block.learning_rate} == {0.2}


def test_the_learning_rate_that_is_used_already_is_no_change() -> None:
    control = RunControl()
    control.set_learning_rate(SMALL.learning_rate)
    assert not any(isinstance(event, LearningRateChanged) for event in events_of(SMALL, control, FakeClock()))


def test_a_run_goes_on_with_the_number_of_threads_that_it_had() -> None:
    usual = torch.get_num_threads()
    seen: set[int] = set()
    start = State(0, 0.0, SMALL.learning_rate, usual + 1, (), {}).packed()
    train(SMALL, lambda _event: seen.add(torch.get_num_threads()), RunControl(), cpu, start=start)
    assert usual + 1 in seen
    assert torch.get_num_threads() == usual


def test_a_run_tells_how_long_a_step_takes_on_its_replicas_and_beside_them() -> None:
    events: list[RunEvent] = []
    train(SMALL, events.append, RunControl(), lambda: Replicas(torch.device("cpu"), ("first", "second")))
    started = events[0]
    assert isinstance(started, RunStarted)
    assert started.turns is not None and all(seconds > 0 for seconds in started.turns.one_device)
    train(SMALL, events.append, RunControl(), cpu)
    (alone,) = (event for event in events[1:] if isinstance(event, RunStarted))
    assert alone.turns is None


def test_a_run_has_the_threads_that_its_engine_wants_unless_it_has_begun_with_others() -> None:
    usual, seen = torch.get_num_threads(), []
    begun = State(0, 0.0, SMALL.learning_rate, usual + 2, (), {}).packed()
    anew = State(0, 0.0, SMALL.learning_rate, AS_HERE, (), {}).packed()
    for start in (None, begun, anew):
        threads: set[int] = set()
        train(
            SMALL,
            lambda _event, threads=threads: threads.add(torch.get_num_threads()),  # type: ignore[misc]
            RunControl(),
            cpu,
            start=start,
            num_threads=usual + 1,
        )
        seen.append(max(threads))
    assert seen == [usual + 1, usual + 2, usual + 1]
    assert torch.get_num_threads() == usual


def test_a_placement_that_fails_is_a_failed_run() -> None:
    def place() -> Placement:
        raise RuntimeError("no such device")

    events: list[RunEvent] = []
    train(SMALL, events.append, RunControl(), place)
    (ending,) = events
    assert isinstance(ending, RunFailed)
    assert ending.message == "RuntimeError: no such device"


def test_rows_before_a_failure_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()

    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 1)
            self.calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            clock.now += FLUSH_SECONDS
            if self.calls > 5:
                raise ZeroDivisionError
            output: Tensor = self.layer(x)
            return output

    monkeypatch.setattr("dpdash.training.loop.run.build_model", lambda config, generator: Failing())
    events = events_of(SMALL, RunControl(), clock)
    ending = events[-1]
    assert isinstance(ending, RunFailed)
    assert ending.num_epochs == 5 == sum(map(len, blocks_of(events)))


class TickingClock(FakeClock):
    """Goes on a little whenever it is read."""

    def __init__(self, tick: float) -> None:
        super().__init__()
        self.tick = tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def checkpoints_of(events: list[RunEvent]) -> list[Checkpoint]:
    return [event for event in events if isinstance(event, Checkpoint)]


def test_checkpoints_are_taken_at_an_interval_after_the_rows_before_them() -> None:
    clock = TickingClock(0.001)
    events = events_of(RunConfig(samples=8, epochs=10_000), RunControl(), clock)
    checkpoints = checkpoints_of(events)
    assert len(checkpoints) == pytest.approx(clock.now / CHECKPOINT_SECONDS + 1, abs=1.5)
    num_epochs = 0
    for event in events:
        if isinstance(event, EpochBlock):
            num_epochs, seconds = event.last_epoch, event.seconds[-1]
        elif isinstance(event, Checkpoint):
            assert (event.epoch, event.seconds) == (num_epochs, seconds)
    assert checkpoints[-1].epoch == 10_000, "a run that is finished can be trained on"


def test_checkpoints_that_take_long_are_taken_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = TickingClock(0.001)
    take, cost = Keeper.take, 0.02
    times: list[float] = []

    def slowly(keeper: Keeper, epoch: int, seconds: float) -> Checkpoint | None:
        times.append(clock.now)
        clock.now += cost
        return take(keeper, epoch, seconds)

    monkeypatch.setattr(Keeper, "take", slowly)
    events_of(RunConfig(samples=8, epochs=20_000), RunControl(), clock)
    *times, _of_the_end = times
    assert len(times) > 2
    for before, after in pairwise(times):
        assert after - before >= cost / CHECKPOINT_SHARE


def test_what_a_checkpoint_takes_is_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = TickingClock(0.01)
    without = events_of(RunConfig(samples=8, epochs=1000), RunControl(), clock)[-1]

    def slowly(_keeper: Keeper, _epoch: int, _seconds: float) -> None:
        clock.now += 1000

    monkeypatch.setattr(Keeper, "take", slowly)
    ending = events_of(RunConfig(samples=8, epochs=1000), RunControl(), clock)[-1]
    assert isinstance(without, RunFinished) and isinstance(ending, RunFinished)
    assert ending.seconds == pytest.approx(without.seconds, rel=0.1)


def test_a_pause_and_a_stop_take_one_checkpoint_before_they_are_told() -> None:
    events = paused_at_once(RunControl(), stops_at=3)
    told = [event for event in events if isinstance(event, Checkpoint | RunPaused | RunStopped)]
    assert [(type(event), getattr(event, "epoch", None)) for event in told] == [
        *[(kind, epoch) for epoch in (1, 2, 3) for kind in (Checkpoint, RunPaused)],
        (RunStopped, None),
    ]


def test_a_damaged_checkpoint_fails_its_run_where_it_stood() -> None:
    events: list[RunEvent] = []
    train(SMALL, events.append, RunControl(), cpu, start=Checkpoint(7, 0.5, b"nothing"))
    (ending,) = events
    assert isinstance(ending, RunFailed)
    assert (ending.num_epochs, ending.seconds) == (7, 0.5)
    assert "The checkpoint of this run cannot be used" in ending.message


def test_a_run_whose_checkpoint_is_its_end_is_finished() -> None:
    whole: list[RunEvent] = []
    control = RunControl()

    def stop_late(event: RunEvent) -> None:
        whole.append(event)
        if isinstance(event, EpochBlock) and event.last_epoch == 5:
            control.stop()
        elif isinstance(event, EpochBlock):
            control.pause()
        elif isinstance(event, RunPaused):
            control.step_once()

    train(SMALL, stop_late, control, cpu)
    events: list[RunEvent] = []
    train(
        SMALL.model_copy(update={"epochs": 5}), events.append, RunControl(), cpu, start=checkpoints_of(whole)[-1]
    )
    stopped, ending = whole[-1], events[-1]
    assert isinstance(stopped, RunStopped) and isinstance(ending, RunFinished)
    assert (ending.num_epochs, ending.slope, ending.intercept) == (5, stopped.slope, stopped.intercept)


def test_the_threads_of_a_checkpoint_are_those_of_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = torch.get_num_threads()
    seen: list[int] = []

    def look() -> Placement:
        seen.append(torch.get_num_threads())
        return cpu()

    start = State(0, 0.0, 0.01, usual + 1, (), {}).packed()
    events: list[RunEvent] = []
    train(SMALL, events.append, RunControl(), look, start=start)
    assert seen == [usual + 1]
    assert torch.get_num_threads() == usual


def test_large_checkpoints_are_taken_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = TickingClock(0.001)
    state = bytes(5 * CHECKPOINT_BYTES_PER_SECOND)
    times: list[float] = []

    def large(_keeper: Keeper, epoch: int, seconds: float) -> Checkpoint:
        times.append(clock.now)
        return Checkpoint(epoch, seconds, state)

    monkeypatch.setattr(Keeper, "take", large)
    events_of(RunConfig(samples=8, epochs=20_000), RunControl(), clock)
    *times, _of_the_end = times
    assert len(times) > 2
    for before, after in pairwise(times):
        assert after - before >= 5
