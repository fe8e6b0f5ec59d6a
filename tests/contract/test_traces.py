"""What every engine of the catalogue keeps to when it takes a step apart. A new engine is tested here unasked."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from dpdash.core.config import EngineName, OptimizerName
from dpdash.core.events import EpochBlock, RunEvent, RunFinished, RunPaused, RunStarted, StepTraced
from dpdash.core.optimum import Moments
from dpdash.core.sharding import shard_sizes
from dpdash.core.steps import MOST_LISTED_PARAMETERS, MOST_LISTED_SAMPLES, Phase, StepTrace
from dpdash.findings.step import StepVerdictKind, step_verdict
from dpdash.problem.batches import draw_order
from dpdash.problem.data import draw
from dpdash.problem.model import build_model
from dpdash.training.catalog import engine
from dpdash.training.control import RunControl
from dpdash.training.hardware import num_gpus
from dpdash.training.trace.step import trace_config
from dpdash.training.trace.turns import NUM_STEPS
from tests.contract.slow_rank import SLEEP_SECONDS
from tests.contract.training import ENDLESS, WAIT_SECONDS, config_for, running, tracing
from tests.contract.training import run as run_on

LARGEST_RESIDUAL = 1e-4
EXCHANGING = {EngineName.DDP}
SETTINGS: dict[str, dict[str, Any]] = {
    "full batch": {},
    "batches": {"global_batch_size": 64, "epochs": 5},
    "mlp": {"hidden_depth": 2, "hidden_width": 16, "epochs": 10},
    "an idle replica": {"samples": 9},
}
SCATTERS = {EngineName.CPU_REPLICAS, EngineName.DATA_PARALLEL}
EVERY_SETTING = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def contributions(trace: StepTrace) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Shape (replicas, listed parameters)."""
    return np.array([np.multiply(replica.weight, replica.gradient) for replica in trace.replicas])


@cache
def usual_trace(name: EngineName) -> StepTrace:
    """Of the settings of `config_for`, once for all who look at it."""
    return trace_config(config_for(name))


@EVERY_SETTING
def test_the_first_step_is_traced_before_it_is_trained(name: EngineName, settings: dict[str, Any]) -> None:
    watcher = run_on(engine(name), config_for(name, **settings), tracing())
    started, traced, first = watcher.events[:3]
    assert isinstance(started, RunStarted) and isinstance(traced, StepTraced) and isinstance(first, EpochBlock)
    assert traced.epoch == 1
    assert [replica.device for replica in traced.trace.replicas] == list(started.devices)
    assert tuple(replica.shard_size for replica in traced.trace.replicas) == started.shard_sizes
    assert traced.trace.emulated == started.emulated
    assert traced.trace.is_memory_counted == (name is EngineName.CPU_REPLICAS or not num_gpus())
    assert isinstance(watcher.terminal, RunFinished)
    assert watcher.traces == [traced]


@EVERY_SETTING
def test_contributions_sum_to_the_gradient_of_the_full_batch(name: EngineName, settings: dict[str, Any]) -> None:
    trace = trace_config(config_for(name, **settings))
    scale = np.abs(trace.full_gradient).max()
    np.testing.assert_allclose(contributions(trace).sum(axis=0), trace.gradient, rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(trace.gradient, trace.full_gradient, rtol=0, atol=LARGEST_RESIDUAL * scale)
    assert 0 < trace.residual < LARGEST_RESIDUAL, "float32 is not float64"
    assert sum(replica.weight for replica in trace.replicas) == pytest.approx(1)
    count = min(trace.num_parameters, MOST_LISTED_PARAMETERS)
    if count == trace.num_parameters:
        difference = np.abs(np.subtract(trace.gradient, trace.full_gradient)).max()
        assert trace.residual == pytest.approx(difference / scale), "a share of the largest"
    lists = (trace.parameters, trace.gradient, trace.full_gradient, *(r.gradient for r in trace.replicas))
    assert {len(each) for each in lists} == {count}
    assert len(set(trace.parameters)) == count


def test_each_replicas_gradient_is_that_of_its_own_shard(name: EngineName) -> None:
    config = config_for(name, samples=90)
    trace = trace_config(config)
    data = draw(config)
    line = build_model(config, data.generator).state_dict()
    slope, intercept = line["layer.weight"].item(), line["layer.bias"].item()
    assert trace.parameters == ("layer.weight", "layer.bias")
    for replica in trace.replicas:
        part = Moments.of(data.x[list(replica.samples)], data.y[list(replica.samples)])
        error = part.mean_y - slope * part.mean_x - intercept
        by_slope = 2 * (slope * part.var_x - part.cov_xy) - 2 * part.mean_x * error
        assert replica.gradient == pytest.approx((by_slope, -2 * error), rel=1e-4)


@EVERY_SETTING
def test_the_shards_are_those_of_the_batch_that_comes_next(name: EngineName, settings: dict[str, Any]) -> None:
    config = config_for(name, **settings)
    trace = trace_config(config)
    size = config.global_batch_size or config.samples
    assert trace.num_samples == size <= MOST_LISTED_SAMPLES or config.global_batch_size is None
    assert tuple(r.shard_size for r in trace.replicas) == shard_sizes(size, config.replicas)
    for replica in trace.replicas:
        assert len(replica.samples) == min(replica.shard_size, MOST_LISTED_SAMPLES)
        assert replica.weight == replica.shard_size / size
    listed = [sample for replica in trace.replicas for sample in replica.samples]
    if config.global_batch_size is None:
        assert listed == sorted(set(listed))
        return
    data = draw(config)
    build_model(config, data.generator)
    assert listed == draw_order(config.samples, data.generator, data.x.device)[:size].tolist()


@EVERY_SETTING
def test_spans_lie_within_the_step(name: EngineName, settings: dict[str, Any]) -> None:
    trace = trace_config(config_for(name, **settings))
    lanes = range(len(trace.replicas))
    for span in trace.spans:
        assert span.lane in lanes
        assert 0 <= span.start <= span.start + span.seconds <= trace.seconds * 1.001
    busy = [lane for lane in lanes if trace.replicas[lane].shard_size]
    assert sorted(span.lane for span in trace.spans if span.phase is Phase.PARALLEL_APPLY) == busy
    assert {span.lane for span in trace.spans if span.phase is Phase.BACKWARD} == set(busy)
    phases = {span.phase for span in trace.spans}
    assert (Phase.SCATTER in phases) == (Phase.GATHER in phases) == (name in SCATTERS)
    assert {Phase.LOSS, Phase.BACKWARD, Phase.OPTIMIZER} <= phases
    assert (Phase.REDUCE in phases) == (name is not EngineName.SINGLE)
    assert all(trace.seconds_in(phase) > 0 for phase in phases)


def test_a_trace_is_of_twenty_warm_steps_in_turns_with_others(name: EngineName) -> None:
    trace = usual_trace(name)
    times = trace.timed
    assert times.num_steps == NUM_STEPS == 20
    assert times.untraced is not None and times.cost == times.traced.median / times.untraced.median
    for spread in (times.traced, times.untraced, times.between, *(phase.on_clock for phase in times.phases)):
        assert 0 <= spread.low <= spread.median <= spread.high
    assert times.traced.low <= trace.seconds <= times.traced.high, "the step that is drawn is near the middle"
    assert [time.phase for time in times.phases] == [p for p in Phase if any(s.phase is p for s in trace.spans)]
    assert all(0 < time.on_clock.median <= time.together * 1.001 for time in times.phases)
    assert all(time.marks > 0 for time in times.phases)
    ranks = range(len(trace.replicas)) if name in EXCHANGING else ()
    assert [entry.lane for entry in times.entries] == [*ranks]
    assert all(0 < entry.after.median < times.traced.median for entry in times.entries)


def test_a_bounded_trace_waits_for_the_first_point_and_is_left_undone_where_it_takes_too_long(
    name: EngineName,
) -> None:
    control = RunControl(epochs_per_second=200)
    control.trace_step(most_seconds=1e-6)

    def ask(event: RunEvent) -> None:
        if isinstance(event, EpochBlock) and event.first_epoch == 2:
            control.trace_step(most_seconds=WAIT_SECONDS)

    watcher = run_on(engine(name), config_for(name), control, ask)
    assert [type(event) for event in watcher.events[:4]] == [RunStarted, EpochBlock, EpochBlock, StepTraced]
    assert isinstance(watcher.terminal, RunFinished) and len(watcher.traces) == 1


def test_an_idle_replica_is_there_and_has_done_nothing(name: EngineName) -> None:
    trace = trace_config(config_for(name, samples=1))
    assert len(trace.replicas) == config_for(name).replicas
    for replica in trace.replicas[1:]:
        assert (replica.shard_size, replica.samples, replica.weight) == (0, (), 0.0)
        assert set(replica.gradient) == {0.0}
        # An all-reduce goes through every rank, whatever it has to add.
        moved = trace.replicas[0].sent_bytes if name is EngineName.DDP else 0
        assert replica.received_bytes == replica.sent_bytes == moved


def test_what_is_sent_is_received(name: EngineName) -> None:
    trace = usual_trace(name)
    received, sent = (sum(getattr(r, side) for r in trace.replicas) for side in ("received_bytes", "sent_bytes"))
    assert received == sent
    assert (sent > 0) == (name is not EngineName.SINGLE)
    first, *others = [replica.memory_bytes for replica in trace.replicas]
    if name is EngineName.DDP:
        assert first and others == [first] * len(others), "every rank holds the batch, a model and its buckets"
        return
    assert all(first and other and first > other for other in others), "the first holds the batch and the sum"


@pytest.mark.parametrize("optimizer", OptimizerName)
@pytest.mark.parametrize("batch", [None, 64], ids=["full batch", "batches"])
def test_traces_change_no_digit_of_the_training(
    name: EngineName, optimizer: OptimizerName, batch: int | None
) -> None:
    config = config_for(name, optimizer=optimizer, global_batch_size=batch, epochs=12, learning_rate=0.005)
    control = tracing(epochs_per_second=1000)

    def ask(event: RunEvent) -> None:
        if isinstance(event, EpochBlock):
            control.trace_step()

    traced, untraced = run_on(engine(name), config, control, ask), run_on(engine(name), config)
    assert len(traced.traces) >= 2
    for column in ("loss", "slope", "intercept"):
        np.testing.assert_array_equal(traced.column(column), untraced.column(column))
    assert traced.terminal.slope == untraced.terminal.slope  # type: ignore[union-attr]


def test_a_trace_that_is_asked_for_is_of_the_line_as_it_then_is(name: EngineName) -> None:
    control = tracing()

    def ask(event: RunEvent) -> None:
        if isinstance(event, EpochBlock) and event.first_epoch == 1:
            control.trace_step()

    config = config_for(name, epochs=40, learning_rate=0.1)
    watcher = run_on(engine(name), config, control, ask)
    first, second = watcher.traces
    assert (first.epoch, second.epoch) == (1, 2)
    assert first.trace.full_gradient != second.trace.full_gradient
    assert second.trace.residual < LARGEST_RESIDUAL
    slope, intercept = watcher.column("slope")[1], watcher.column("intercept")[1]
    data = draw(config)
    moments = Moments.of(data.x, data.y)
    error = moments.mean_y - slope * moments.mean_x - intercept
    assert second.trace.full_gradient[1] == pytest.approx(-2 * error, rel=1e-3)


def test_a_paused_run_is_traced_and_goes_on_standing(name: EngineName) -> None:
    control = tracing()
    with running(engine(name), config_for(name, epochs=ENDLESS), control) as watcher:
        watcher.wait_for(EpochBlock)
        control.pause()
        watcher.wait_for(RunPaused)
        for count in (2, 3):
            control.trace_step()
            watcher.wait_until(lambda: len(watcher.traces) == count)  # noqa: B023 (called at once)
        control.stop()
    events = watcher.events
    paused = [event for event in events if isinstance(event, RunPaused)]
    assert len(paused) == 1, "it has not moved, so it says nothing anew"
    assert [traced.epoch for traced in watcher.traces[1:]] == [paused[0].epoch + 1] * 2
    assert watcher.blocks[-1].last_epoch == paused[0].epoch


def test_a_step_that_cannot_be_traced_is_still_trained(
    name: EngineName, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if name is EngineName.DDP:
        pytest.skip("its ranks are other processes; they are broken in tests/faults/test_ddp.py")

    def fail(*_arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr("dpdash.training.trace.next_step.full_gradient", fail)
    watcher = run_on(engine(name), config_for(name), tracing())
    assert isinstance(watcher.terminal, RunFinished)
    assert not watcher.traces
    assert "could not be traced" in caplog.text


@pytest.mark.long
def test_micro_batches_are_done_one_after_the_other_and_exchanged_once() -> None:
    trace = trace_config(config_for(EngineName.DDP, accumulation_steps=4))
    for lane in range(2):
        count = {phase: sum(s.phase is phase and s.lane == lane for s in trace.spans) for phase in Phase}
        assert count[Phase.PARALLEL_APPLY] == count[Phase.LOSS] == count[Phase.BACKWARD] == 4
        assert count[Phase.REDUCE] == count[Phase.OPTIMIZER] == 1
    assert trace.residual < LARGEST_RESIDUAL
    assert all(0 < entry.after.median < trace.timed.traced.median for entry in trace.timed.entries)


@pytest.mark.long
def test_a_rank_that_is_slow_inside_backward_is_found_by_when_it_enters_its_first_all_reduce(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Backward itself takes both about as long: the all-reduce at its end waits for the slow one."""
    monkeypatch.setattr("dpdash.training.ddp.engine.MODULE", "tests.contract.slow_rank")
    trace = trace_config(config_for(EngineName.DDP))
    quick, slow = trace.timed.entries
    assert slow.after.low > SLEEP_SECONDS > quick.after.high
    (said,) = [said for said in step_verdict(trace) if said.kind is StepVerdictKind.SLOW_RANK]
    assert said.values["rank"] == slow.lane == 1
    reduces = {span.lane: span.start + span.seconds for span in trace.spans if span.phase is Phase.REDUCE}
    assert reduces[0] > SLEEP_SECONDS, "the quick one waits"
