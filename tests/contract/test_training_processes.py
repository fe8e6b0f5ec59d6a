"""What an engine keeps to when it trains in a process of its own: real processes, each engine of the catalogue."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np
import pytest

from dpdash.core.config import EngineName, OptimizerName, RunConfig
from dpdash.core.cores import num_cores
from dpdash.core.events import (
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunDiverged,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    StopReason,
)
from dpdash.core.history import History
from dpdash.core.own_data import Table
from dpdash.problem import tables
from dpdash.training.catalog import engine
from dpdash.training.checkpoint import State
from dpdash.training.control import RunControl
from dpdash.training.engine import Engine
from dpdash.training.processes import child
from dpdash.training.processes.handle import PROCESS_GONE, TRACER_GONE, TrainingProcess
from dpdash.training.processes.pool import MODULE, TrainingProcesses
from dpdash.training.trace.step import TraceError, trace_config
from tests.contract.training import ENDLESS, Watcher, config_for, running, tracing
from tests.contract.training import run as run_on
from tests.fakes import checkpoint_of, eventually

START_SECONDS = 60


@contextmanager
def started(num_processes: int, module: str = MODULE) -> Iterator[TrainingProcesses]:
    """Processes of which each is ready or gone; closed at the end."""
    processes = TrainingProcesses(num_processes, module)
    processes.start()
    processes.wait_until_ready(START_SECONDS)
    try:
        yield processes
    finally:
        processes.close()


@pytest.fixture(scope="module")
def processes() -> Iterator[TrainingProcesses]:
    """One process that trains, for all tests that leave it alive."""
    with started(1) as processes:
        assert len(processes.ready) == 1
        yield processes


def outside(processes: TrainingProcesses, name: EngineName = EngineName.SINGLE) -> Engine:
    return processes.outside(engine(name))


def without_times(event: RunEvent) -> RunEvent:
    """An event as it is in every run of the same settings."""
    match event:
        case EpochBlock():
            return replace(event, seconds=np.zeros(len(event)))
        case RunStarted():
            return replace(event, started_at=0.0, turns=None)
        case RunFinished():
            return replace(event, seconds=0.0)
    return event


@pytest.mark.parametrize(
    "settings",
    [{}, {"global_batch_size": 64, "epochs": 5}, {"hidden_depth": 1, "hidden_width": 16}],
    ids=["full batch", "batches", "mlp"],
)
def test_a_run_says_what_it_would_say_here(
    processes: TrainingProcesses, name: EngineName, settings: dict[str, int]
) -> None:
    config = config_for(name, **settings)
    there, here = run_on(outside(processes, name), config), run_on(engine(name), config)
    for watcher in (there, here):
        assert isinstance(watcher.terminal, RunFinished)
    for column in ("loss", "slope", "intercept", "learning_rate"):
        np.testing.assert_array_equal(there.column(column), here.column(column))
    assert without_times(there.events[0]) == without_times(here.events[0])
    assert without_times(there.terminal) == without_times(here.terminal)
    assert there.blocks[0].seconds[0] > 0
    assert processes.ready[0].num_runs == 0


def test_a_long_run_comes_whole(processes: TrainingProcesses) -> None:
    history = History()
    run_on(outside(processes), config_for(EngineName.SINGLE, samples=20, epochs=5000), react=history.fold)
    assert history.snapshot().num_epochs == 5000


def test_every_command_reaches_the_run(processes: TrainingProcesses) -> None:
    control = RunControl(epochs_per_second=200)
    with running(outside(processes), config_for(EngineName.SINGLE, epochs=ENDLESS), control) as watcher:
        watcher.wait_for(EpochBlock)
        assert not control.is_standing
        control.pause()
        eventually(lambda: control.is_standing)
        stood_at = watcher.blocks[-1].last_epoch
        assert isinstance(watcher.events[-1], RunPaused), "one that stands has said everything"
        control.set_learning_rate(0.002)
        assert control.is_standing
        control.step_once()
        assert not control.is_standing
        eventually(lambda: control.is_standing)
        assert watcher.blocks[-1].last_epoch == stood_at + 1
        assert LearningRateChanged(stood_at + 1, 0.002) in watcher.events
        control.set_epochs_per_second(None)
        control.resume()
        watcher.wait_for(RunResumed)
        eventually(lambda: watcher.blocks[-1].last_epoch > stood_at + 1000)
        control.stop(StopReason.TEACHER)
    assert isinstance(watcher.terminal, RunStopped)
    assert watcher.terminal.reason is StopReason.TEACHER


def test_a_step_is_traced_there_and_told_here(processes: TrainingProcesses, name: EngineName) -> None:
    control = tracing(epochs_per_second=200)
    with running(outside(processes, name), config_for(name, epochs=ENDLESS), control) as watcher:
        watcher.wait_for(EpochBlock)
        control.trace_step()
        watcher.wait_until(lambda: len(watcher.traces) == 2)
        control.pause()
        eventually(lambda: control.is_standing)
        control.trace_step()
        watcher.wait_until(lambda: len(watcher.traces) == 3)
        eventually(lambda: control.is_standing)
        assert len([event for event in watcher.events if isinstance(event, RunPaused)]) == 1
    (here,) = run_on(engine(name), config_for(name), tracing()).traces
    there = watcher.traces[0]
    assert there.trace.replicas == here.trace.replicas
    assert there.trace.full_gradient == here.trace.full_gradient


def test_commands_from_before_the_run_hold(processes: TrainingProcesses) -> None:
    control = RunControl()
    control.pause()
    control.step_once()
    control.set_learning_rate(0.003)
    with running(outside(processes), config_for(EngineName.SINGLE, epochs=ENDLESS), control) as watcher:
        eventually(lambda: control.is_standing)
        assert watcher.blocks[-1].last_epoch == 1
        assert watcher.blocks[-1].learning_rate.tolist() == [0.003]


@pytest.mark.parametrize("reason", list(StopReason))
def test_one_that_is_stopped_before_it_begins_trains_nothing(
    processes: TrainingProcesses, reason: StopReason
) -> None:
    control = RunControl()
    control.stop(reason)
    ending = run_on(outside(processes), config_for(EngineName.SINGLE), control).terminal
    assert isinstance(ending, RunStopped)
    assert (ending.num_epochs, ending.reason) == (0, reason)


def test_a_command_to_a_run_that_is_over_does_nothing(processes: TrainingProcesses) -> None:
    control = RunControl()
    run_on(outside(processes), config_for(EngineName.SINGLE), control)
    for command in (control.pause, control.resume, control.step_once, control.stop):
        command()
    assert isinstance(run_on(outside(processes), config_for(EngineName.SINGLE)).terminal, RunFinished)


def test_divergence_is_told(processes: TrainingProcesses) -> None:
    config = config_for(EngineName.SINGLE, optimizer=OptimizerName.SGD, learning_rate=0.5, epochs=2000)
    assert isinstance(run_on(outside(processes), config).terminal, RunDiverged)


def test_what_the_receiver_raises_is_passed_on_and_ends_the_run(processes: TrainingProcesses) -> None:
    def react(event: RunEvent) -> None:
        if isinstance(event, EpochBlock):
            raise LookupError("receiver")

    with pytest.raises(LookupError, match="receiver"):
        run_on(outside(processes), config_for(EngineName.SINGLE, epochs=ENDLESS), react=react)
    assert isinstance(run_on(outside(processes), config_for(EngineName.SINGLE)).terminal, RunFinished)


def test_runs_at_the_same_time_do_not_touch_each_other(processes: TrainingProcesses) -> None:
    configs = [config_for(EngineName.SINGLE, seed=seed, epochs=300, global_batch_size=100) for seed in range(1, 5)]
    watchers = [Watcher() for _config in configs]
    threads = [
        threading.Thread(target=outside(processes).run, args=(config, watcher.emit, RunControl()))
        for config, watcher in zip(configs, watchers, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for config, watcher in zip(configs, watchers, strict=True):
        alone = run_on(engine(EngineName.SINGLE), config)
        np.testing.assert_array_equal(watcher.column("loss"), alone.column("loss"))


def test_without_processes_a_run_trains_here() -> None:
    with started(0) as none:
        assert isinstance(run_on(outside(none), config_for(EngineName.SINGLE)).terminal, RunFinished)


def test_an_engine_that_breaks_there_fails_its_run_here() -> None:
    with started(2, "tests.contract.breaking") as processes:
        watcher = run_on(outside(processes), config_for(EngineName.SINGLE))
    ending = watcher.terminal
    assert isinstance(ending, RunFailed)
    message = f"LookupError: broken, threads: {max(1, num_cores() // 2)}"
    assert ending.message == message, "the processes share the cores"
    assert message in ending.traceback
    assert ending.num_epochs == watcher.blocks[-1].last_epoch
    assert ending.seconds == watcher.blocks[-1].seconds[-1]


def test_a_process_that_is_killed_takes_its_runs_along_and_another_takes_its_place() -> None:
    with started(1) as processes:
        killed = processes.ready[0].pid
        with running(outside(processes), config_for(EngineName.SINGLE, epochs=ENDLESS), RunControl()) as watcher:
            watcher.wait_for(EpochBlock)
            os.kill(killed, signal.SIGKILL)
        ending = watcher.terminal
        assert isinstance(ending, RunFailed)
        assert ending.message == PROCESS_GONE
        assert ending.num_epochs == watcher.blocks[-1].last_epoch
        assert ending.seconds == watcher.blocks[-1].seconds[-1]
        eventually(lambda: processes.ready, START_SECONDS)
        assert processes.ready[0].pid != killed
        assert isinstance(run_on(outside(processes), config_for(EngineName.SINGLE)).terminal, RunFinished)


@pytest.mark.parametrize("start", [None, checkpoint_of(7)], ids=["from its beginning", "from a checkpoint"])
def test_a_run_that_comes_to_a_process_that_has_just_gone_fails_at_once(start: Checkpoint | None) -> None:
    gone = threading.Event()
    process = TrainingProcess(child.started("dpdash.no_such_module", 1), lambda _process: gone.set())
    assert gone.wait(START_SECONDS)
    watcher = Watcher()
    arguments = (config_for(EngineName.SINGLE), watcher.emit, RunControl(), start)
    threading.Thread(target=process.run, args=arguments, daemon=True).start()
    watcher.wait_for(RunFailed)
    assert isinstance(watcher.terminal, RunFailed) and watcher.terminal.message == PROCESS_GONE
    kept = (start.epoch, start.seconds) if start else (0, 0.0)
    assert (watcher.terminal.num_epochs, watcher.terminal.seconds) == kept
    eventually(lambda: process.num_runs == 0)


def test_a_step_that_no_run_does_is_taken_apart_there(processes: TrainingProcesses, name: EngineName) -> None:
    config = config_for(name)
    there, here = processes.ready[0].trace(config), trace_config(config)
    assert (there.engine, there.num_samples) == (name.value, config.samples)
    np.testing.assert_allclose(there.full_gradient, here.full_gradient, rtol=1e-12)
    assert there.replicas and there.spans and there.seconds > 0
    assert processes.ready[0].num_runs == 0


def test_a_step_is_profiled_there(processes: TrainingProcesses) -> None:
    events = json.loads(processes.ready[0].chrome_trace(config_for(EngineName.SINGLE)))["traceEvents"]
    assert any(event.get("name") == "backward on replica 0" for event in events)
    assert processes.ready[0].pid in {event.get("pid") for event in events}


def test_why_a_step_cannot_be_taken_apart_there_is_told_here(processes: TrainingProcesses) -> None:
    with pytest.raises(
        TraceError, match="torch's profiler sees one process, and the engine ddp trains in several"
    ):
        processes.ready[0].chrome_trace(config_for(EngineName.DDP))
    assert processes.ready[0].num_runs == 0


def test_a_step_ends_with_the_process_that_takes_it_apart() -> None:
    with started(1) as processes:
        process = processes.ready[0]
        os.kill(process.pid, signal.SIGSTOP)
        failures: list[str] = []

        def trace() -> None:
            try:
                process.trace(config_for(EngineName.SINGLE))
            except TraceError as error:
                failures.append(str(error))

        thread = threading.Thread(target=trace)
        thread.start()
        eventually(lambda: process.num_runs == 1)
        os.kill(process.pid, signal.SIGKILL)
        thread.join(START_SECONDS)
        assert failures == [TRACER_GONE]


def test_one_that_does_not_start_is_not_started_again(caplog: pytest.LogCaptureFixture) -> None:
    with started(1, "dpdash.no_such_module") as processes:
        eventually(lambda: "has ended by itself" in caplog.text)
        assert not processes.ready
        assert isinstance(run_on(outside(processes), config_for(EngineName.SINGLE)).terminal, RunFinished)


def test_closing_ends_what_still_trains() -> None:
    with started(1) as processes:
        config = config_for(EngineName.SINGLE, epochs=ENDLESS)
        with running(outside(processes), config, RunControl()) as watcher:
            watcher.wait_for(EpochBlock)
            processes.close()
        assert isinstance(watcher.terminal, RunFailed)
        assert not processes.ready
        processes.start()
        assert not processes.ready, "closed is closed"


def test_a_run_goes_to_the_process_with_the_least_to_do() -> None:
    config = RunConfig(samples=20, epochs=ENDLESS)
    with started(2) as processes, ExitStack() as runs:
        for rate in (5, None, 5):
            runs.enter_context(running(outside(processes), config, RunControl(rate))).wait_for(RunStarted)
        paced, fast = sorted(processes.ready, key=lambda process: process.num_at_full_speed)
        assert (paced.num_runs, paced.num_at_full_speed) == (2, 0)
        assert (fast.num_runs, fast.num_at_full_speed) == (1, 1)
        assert processes.choose(RunControl()) is paced, "though it has more runs"
        assert processes.choose(RunControl(5)) is fast


def test_a_run_goes_on_there_as_it_would_here(processes: TrainingProcesses, name: EngineName) -> None:
    config = config_for(name, global_batch_size=100)
    control = RunControl()
    control.pause()

    def stop_late(event: RunEvent) -> None:
        if isinstance(event, RunPaused):
            control.step_once() if event.epoch < 7 else control.stop()

    before = run_on(outside(processes, name), config, control, stop_late)
    checkpoint = [event for event in before.events if isinstance(event, Checkpoint)][-1]
    there = run_on(outside(processes, name), config, start=checkpoint)
    here = run_on(engine(name), config, start=checkpoint)
    assert there.blocks[0].first_epoch == 8
    for column in ("loss", "slope", "intercept", "learning_rate"):
        np.testing.assert_array_equal(there.column(column), here.column(column))


def test_one_that_goes_on_and_is_killed_has_trained_what_it_had() -> None:
    start = State(70, 1.5, 0.01, 0, (), {}).packed()
    control = RunControl()
    control.pause()
    with started(1) as processes:
        watcher = Watcher()
        run = threading.Thread(
            target=outside(processes).run,
            args=(config_for(EngineName.SINGLE, epochs=ENDLESS), watcher.emit, control, start),
        )
        run.start()
        watcher.wait_for(RunPaused)
        os.kill(processes.ready[0].pid, signal.SIGKILL)
        run.join()
    ending = watcher.terminal
    assert isinstance(ending, RunFailed)
    assert (ending.num_epochs, ending.seconds) == (70, 1.5)


def test_own_data_travel_to_the_process_that_trains(processes: TrainingProcesses) -> None:
    table = Table(np.linspace(0, 1, 30), np.linspace(3, 4, 30))
    tables.keep(table)
    config = RunConfig(epochs=200, learning_rate=0.1).on(table.reference("own.csv", is_standardised=True))
    ending = run_on(processes.outside(engine(config.engine)), config).terminal
    assert isinstance(ending, RunFinished)
    assert ending.slope == pytest.approx(1, abs=0.01)
    (process,) = processes.ready
    assert process.trace(config).num_samples == 30
