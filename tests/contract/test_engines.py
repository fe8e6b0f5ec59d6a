"""What every engine of the catalogue keeps to. A new engine is tested here unasked."""

import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from dpdash.core.config import EngineName, OptimizerName, RunConfig
from dpdash.core.cores import num_cores
from dpdash.core.events import (
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
from dpdash.core.optimum import Moments, optimum
from dpdash.core.own_data import OwnData, OwnDataError, Table
from dpdash.core.sharding import shard_sizes
from dpdash.problem import tables
from dpdash.problem.data import draw
from dpdash.training.catalog import ENGINES, engine
from dpdash.training.control import RunControl
from dpdash.training.engine import Engine
from dpdash.training.hardware import num_gpus
from tests.contract.breaking_model import ERROR_VARIABLE, breaking_model
from tests.contract.training import ENDLESS, Watcher, config_for, running
from tests.contract.training import run as run_on


def run(
    config: RunConfig, control: RunControl | None = None, react: Callable[[RunEvent], None] | None = None
) -> Watcher:
    """Train with the engine that a config names."""
    return run_on(engine(config.engine), config, control, react)


@pytest.fixture
def break_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Exception], None]]:
    with ExitStack() as patches:

        def break_with(error: Exception) -> None:
            patches.enter_context(breaking_model(error))
            # No patch of this process reaches the processes of a run.
            monkeypatch.setenv(ERROR_VARIABLE, pickle.dumps(error).hex())
            monkeypatch.setattr("dpdash.training.ddp.engine.MODULE", "tests.contract.breaking_rank")

        yield break_with


def test_catalogue_knows_every_engine() -> None:
    assert set(ENGINES) == set(EngineName)
    for name, each in ENGINES.items():
        engine_of_protocol: Engine = each
        assert engine_of_protocol.name == name


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": OptimizerName.RMSPROP},
        {"global_batch_size": 64, "epochs": 5},
        {"hidden_depth": 2, "hidden_width": 16, "epochs": 10},
        {"hidden_depth": 1, "hidden_width": 8, "warmup_epochs": 6, "learning_rate": 0.05, "epochs": 12},
        # Few samples, and shards as uneven as can be: there each sample counts.
        {"hidden_depth": 1, "hidden_width": 16, "samples": 9, "global_batch_size": 5, "epochs": 30},
    ],
    ids=["full batch", "rmsprop", "batches", "mlp", "warm-up", "mlp in batches"],
)
def test_losses_are_those_of_single(name: EngineName, settings: dict[str, Any]) -> None:
    watcher = run(config_for(name, **settings))
    reference = run(config_for(EngineName.SINGLE, **settings))
    for column in ("loss", "slope", "intercept"):
        np.testing.assert_allclose(watcher.column(column), reference.column(column), rtol=1e-4, atol=1e-5)
    ending = watcher.terminal
    assert isinstance(ending, RunFinished)
    assert ending.num_epochs == len(watcher.column("loss"))


def test_events_tell_a_whole_run(name: EngineName) -> None:
    config = config_for(name, epochs=3000, samples=20)
    history = History()
    watcher = run(config, react=history.fold)
    started, first = watcher.events[:2]
    assert isinstance(started, RunStarted)
    assert len(started.devices) == config.replicas == len(started.shard_sizes)
    assert sum(started.shard_sizes) == 20
    turns = started.turns
    assert (turns is None) == (name is EngineName.SINGLE)
    if turns is not None:
        has_more_cores = num_cores() > 1 and not turns.is_on_gpus
        devices = (turns.replicas, turns.one_device, turns.whole_cpu)
        assert [bool(seconds) for seconds in devices] == [True, True, has_more_cores]
        assert all(second > 0 for seconds in devices for second in seconds)
    assert isinstance(first, EpochBlock) and len(first) == 1, "the first point shows at once"
    assert [block.first_epoch for block in watcher.blocks[1:]] == [b.last_epoch + 1 for b in watcher.blocks[:-1]]
    assert history.snapshot().num_epochs == 3000
    seconds = watcher.column("seconds")
    assert (np.diff(seconds) >= 0).all() and seconds[0] > 0
    for block in watcher.blocks:
        assert block.loss.dtype == block.slope.dtype == block.intercept.dtype == np.float32
        assert block.learning_rate.dtype == block.seconds.dtype == np.float64
    assert (watcher.column("learning_rate") == config.learning_rate).all()


def test_the_learning_rate_of_a_warm_up_rises_and_is_told(name: EngineName) -> None:
    config = config_for(name, warmup_epochs=4, learning_rate=0.1, epochs=7)
    told = run(config).column("learning_rate")
    np.testing.assert_allclose(told, [0.01, 0.0325, 0.055, 0.0775, 0.1, 0.1, 0.1], rtol=1e-12)


def test_who_moves_the_learning_rate_ends_the_warm_up(name: EngineName) -> None:
    control = RunControl()

    def react(event: RunEvent) -> None:
        if isinstance(event, EpochBlock) and event.last_epoch == 1:
            control.set_learning_rate(0.02)

    watcher = run(config_for(name, warmup_epochs=2000, learning_rate=0.1, epochs=2000, samples=20), control, react)
    changes = [event for event in watcher.events if isinstance(event, LearningRateChanged)]
    (change,) = changes
    told = watcher.column("learning_rate")
    assert (np.diff(told[: change.epoch - 1]) > 0).all()
    assert (told[change.epoch - 1 :] == 0.02).all()


def test_blocks_are_never_written_again(name: EngineName) -> None:
    copies: list[EpochBlock] = []

    def react(event: RunEvent) -> None:
        if isinstance(event, EpochBlock):
            columns = (event.loss, event.slope, event.intercept, event.learning_rate, event.seconds)
            copies.append(EpochBlock(event.first_epoch, *(column.copy() for column in columns)))

    assert run(config_for(name, epochs=3000, samples=20), react=react).blocks == copies


def test_stop_ends_before_the_next_epoch(name: EngineName) -> None:
    control = RunControl()

    def react(event: RunEvent) -> None:
        if isinstance(event, EpochBlock):
            control.stop(StopReason.BROWSER_GONE)
            control.stop()

    watcher = run(config_for(name, epochs=ENDLESS), control, react)
    ending = watcher.terminal
    assert isinstance(ending, RunStopped)
    assert (ending.num_epochs, ending.reason) == (1, StopReason.BROWSER_GONE)


def test_stop_from_another_thread_ends_a_paused_run(name: EngineName) -> None:
    control = RunControl()
    with running(engine(name), config_for(name, epochs=ENDLESS), control) as watcher:
        watcher.wait_for(EpochBlock)
        control.pause()
        watcher.wait_for(RunPaused)
    ending = watcher.terminal
    assert isinstance(ending, RunStopped)
    assert ending.num_epochs == watcher.blocks[-1].last_epoch == watcher.events[-2].epoch  # type: ignore[union-attr]


def test_a_paused_run_goes_exactly_one_epoch_and_on(name: EngineName) -> None:
    control = RunControl()
    paused_at: list[int] = []

    def react(event: RunEvent) -> None:
        match event:
            case EpochBlock(first_epoch=1):
                control.step_once()  # without effect: the run is not paused
                control.pause()
                control.pause()
            case RunPaused():
                paused_at.append(event.epoch)
                control.step_once() if len(paused_at) < 3 else control.resume()

    watcher = run(config_for(name), control, react)
    assert paused_at == [1, 2, 3]
    assert [len(block) for block in watcher.blocks[:3]] == [1, 1, 1]
    assert [event.epoch for event in watcher.events if isinstance(event, RunResumed)] == [3]
    reference = run(config_for(name))
    np.testing.assert_array_equal(watcher.column("loss"), reference.column("loss"))


@pytest.mark.parametrize("paused", [False, True])
def test_a_learning_rate_is_used_from_the_next_epoch_on(name: EngineName, paused: bool) -> None:
    control = RunControl()

    def react(event: RunEvent) -> None:
        match event:
            case EpochBlock(first_epoch=1) if paused:
                control.pause()
            case EpochBlock(first_epoch=1) | RunPaused():
                control.set_learning_rate(0.5)
                control.set_learning_rate(0.005)
                control.resume()

    config = config_for(name, optimizer=OptimizerName.SGD, learning_rate=0.001, epochs=20)
    watcher = run(config, control, react)
    assert [e for e in watcher.events if isinstance(e, LearningRateChanged)] == [LearningRateChanged(2, 0.005)]
    assert watcher.column("learning_rate").tolist() == [0.001] + [0.005] * 19
    data = draw(config)
    moments = Moments.of(data.x, data.y)
    rows = zip(watcher.column("slope"), watcher.column("intercept"), watcher.column("learning_rate"), strict=True)
    for (slope, intercept, learning_rate), (next_slope, *_) in pairwise(rows):
        gradient = 2 * (slope * moments.var_x - moments.cov_xy) - 2 * moments.mean_x * (
            moments.mean_y - slope * moments.mean_x - intercept
        )
        assert next_slope == pytest.approx(slope - learning_rate * gradient, abs=1e-4)


def test_divergence_is_told_with_its_epoch(name: EngineName) -> None:
    watcher = run(config_for(name, optimizer=OptimizerName.SGD, learning_rate=0.5, epochs=2000))
    ending = watcher.terminal
    assert isinstance(ending, RunDiverged)
    assert np.isfinite(watcher.column("loss")).all()
    assert ending.num_epochs == ending.epoch - 1 == len(watcher.column("loss"))


def test_divergence_within_an_epoch_of_batches_is_told(name: EngineName) -> None:
    config = config_for(name, optimizer=OptimizerName.SGD, learning_rate=10, epochs=1, global_batch_size=2)
    ending = run(config).terminal
    assert isinstance(ending, RunDiverged)
    assert (ending.num_epochs, ending.epoch) == (1, 1)


def test_an_exception_ends_the_run_with_its_traceback(
    name: EngineName, break_model: Callable[[Exception], None]
) -> None:
    break_model(ArithmeticError("the model broke"))
    ending = run(config_for(name)).terminal
    assert isinstance(ending, RunFailed)
    assert ending.message == "ArithmeticError: the model broke"
    assert "in forward" in ending.traceback


def test_full_gpu_memory_is_told_with_a_way_out(
    name: EngineName, break_model: Callable[[Exception], None]
) -> None:
    break_model(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."))
    ending = run(config_for(name)).terminal
    assert isinstance(ending, RunFailed)
    assert "Try fewer samples" in ending.message


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] data. DefaultCPUAllocator: not enough memory"),
    ],
    ids=["python's", "torch's on Linux", "torch's on Windows"],
)
def test_full_memory_is_told_with_a_way_out(
    name: EngineName, break_model: Callable[[Exception], None], error: Exception
) -> None:
    break_model(error)
    ending = run(config_for(name)).terminal
    assert isinstance(ending, RunFailed)
    assert ending.message.startswith("The memory of this machine is full. Try fewer samples")
    assert type(error).__name__ in ending.traceback


def test_what_the_receiver_raises_is_passed_on(name: EngineName) -> None:
    def react(event: RunEvent) -> None:
        if isinstance(event, EpochBlock):
            raise LookupError("receiver")

    with pytest.raises(LookupError, match="receiver"):
        run(config_for(name), react=react)


@pytest.mark.parametrize("samples", [9, 2, 1])
@pytest.mark.parametrize("global_batch_size", [None, 1])
def test_samples_that_do_not_divide_by_the_replicas(
    name: EngineName, samples: int, global_batch_size: int | None
) -> None:
    config = config_for(name, samples=samples, global_batch_size=global_batch_size)
    watcher = run(config)
    started = watcher.events[0]
    assert isinstance(started, RunStarted)
    assert started.shard_sizes == shard_sizes(global_batch_size or samples, config.replicas)
    if (name, samples, global_batch_size) == (EngineName.CPU_REPLICAS, 9, None):
        assert started.shard_sizes == (3, 3, 3, 0)
    single = config_for(EngineName.SINGLE, samples=samples, global_batch_size=global_batch_size)
    np.testing.assert_allclose(watcher.column("loss"), run(single).column("loss"), rtol=1e-4, atol=1e-5)


def test_runs_leave_the_global_generator_and_neither_threads_nor_processes(name: EngineName) -> None:
    before, threads = torch.get_rng_state(), set(threading.enumerate())
    processes = psutil.Process().children(recursive=True)
    run(config_for(name, global_batch_size=100))
    assert torch.equal(torch.get_rng_state(), before)
    assert set(threading.enumerate()) == threads
    assert psutil.Process().children(recursive=True) == processes


@pytest.mark.timeout(300)  # with ddp, twelve processes import torch at the same time
def test_runs_at_the_same_time_equal_the_same_runs_alone(name: EngineName) -> None:
    configs = [
        config_for(name, seed=seed, epochs=200, global_batch_size=batch)
        for seed in (1, 2)
        for batch in (None, 250)
    ]
    alone = [run(config) for config in configs]
    with ThreadPoolExecutor(len(configs)) as pool:
        together = list(pool.map(run, configs))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.column("loss"), other.column("loss"))
        assert one.terminal.num_epochs == other.terminal.num_epochs == 200


@pytest.mark.gpu
def test_gpu_memory_is_given_back(name: EngineName) -> None:
    if not num_gpus():
        pytest.skip("needs a CUDA device; this machine has none")
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved()
    run(config_for(name, samples=1_000_000))
    assert torch.cuda.memory_reserved() <= before + 2**25, "more than what cuBLAS keeps for itself"


OWN = Table(np.linspace(-2, 2, 21), 5 - 1.5 * np.linspace(-2, 2, 21) + np.sin(np.arange(21.0)))


@pytest.mark.parametrize(
    ("size", "is_standardised"), [(None, False), pytest.param(6, True, marks=pytest.mark.long)]
)
def test_own_data_are_trained_like_drawn_ones(name: EngineName, size: int | None, is_standardised: bool) -> None:
    tables.keep(OWN)
    data = OWN.reference("own.csv", is_standardised)
    config = config_for(
        name, epochs=400, learning_rate=0.05, global_batch_size=size, samples=21, noise=0, data=data
    )
    watcher = run(config)
    ending = watcher.terminal
    assert isinstance(ending, RunFinished)
    best = optimum(Moments.of(draw(config).x, draw(config).y))
    assert (ending.slope, ending.intercept) == pytest.approx((best.slope, best.intercept), abs=0.05)
    np.testing.assert_allclose(watcher.column("loss")[-1], best.loss, rtol=0.1)


def test_own_data_that_are_gone_fail_the_run_with_a_sentence(name: EngineName) -> None:
    gone = OwnData(digest="0" * 64, name="gone.csv", rows=21)
    with pytest.raises(OwnDataError, match=r"gone\.csv is not on this server"):
        tables.trained(gone)
    config = config_for(name, samples=21, noise=0, data=gone)
    if name is EngineName.DDP:
        return  # it is asked for before any process is started, and LiveRun tells
    ending = run(config).terminal
    assert isinstance(ending, RunFailed)
    assert "gone.csv" in ending.message
