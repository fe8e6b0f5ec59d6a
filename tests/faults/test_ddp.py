"""What DDP does when its processes are killed, hang, or never come up: real processes, real signals."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from dpdash.core.config import EngineName
from dpdash.core.events import EpochBlock, RunFailed, RunFinished, RunStopped
from dpdash.training.control import RunControl
from dpdash.training.ddp.engine import NO_FOLDER, NO_START, RANK_GONE, RANK_HANGS, Ddp
from dpdash.training.processes.pool import TrainingProcesses
from dpdash.training.trace.turns import NUM_STEPS
from tests.contract.training import ENDLESS, Watcher, config_for, run, running, tracing
from tests.e2e.server import ROOT
from tests.fakes import eventually

END_SECONDS = 10
START_SECONDS = 60
ENDLESS_RUN = config_for(EngineName.DDP, epochs=ENDLESS)


def processes_of(pid: int) -> list[psutil.Process]:
    """What DDP has started below a process; other tests of the same process have browsers and servers there."""
    below = psutil.Process(pid).children(recursive=True)
    return [process for process in below if "DPDASH_DDP_FOLDER" in process.environ()]


def ranks_of(pid: int) -> list[psutil.Process]:
    """The ranks below a process, rank 0 first."""
    ranks = [process for process in processes_of(pid) if "RANK" in process.environ()]
    return sorted(ranks, key=lambda process: int(process.environ()["RANK"]))


def assert_gone(processes: list[psutil.Process]) -> None:
    assert processes
    _gone, alive = psutil.wait_procs(processes, END_SECONDS)
    assert not alive


@contextmanager
def failing(watcher: Watcher) -> Iterator[None]:
    """What happens here ends the run within ten seconds, and leaves no process behind."""
    watcher.wait_for(EpochBlock)
    processes = processes_of(os.getpid())
    began = time.monotonic()
    yield
    watcher.wait_for(RunFailed)
    assert time.monotonic() - began < END_SECONDS
    assert_gone(processes)


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    ("number", "sentence"), [(signal.SIGKILL, RANK_GONE), (signal.SIGSTOP, RANK_HANGS)], ids=["killed", "hangs"]
)
def test_a_rank_that_dies_or_hangs_ends_the_run(rank: int, number: signal.Signals, sentence: str) -> None:
    with running(Ddp(), ENDLESS_RUN, RunControl()) as watcher, failing(watcher):
        ranks_of(os.getpid())[rank].send_signal(number)
    ending = watcher.terminal
    assert isinstance(ending, RunFailed)
    assert ending.message == sentence
    assert ending.num_epochs == watcher.blocks[-1].last_epoch


def break_trace(monkeypatch: pytest.MonkeyPatch, name: str, rank: int, call: int) -> None:
    """In this rank what has this name breaks when it is called for the n-th time."""
    for variable, value in {"NAME": name, "RANK": str(rank), "CALL": str(call)}.items():
        monkeypatch.setenv(f"FAILING_TRACE_{variable}", value)
    monkeypatch.setattr("dpdash.training.ddp.engine.MODULE", "tests.faults.failing_trace")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_first_trace_that_breaks_in_one_rank_ends_the_run(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    break_trace(monkeypatch, "dpdash.training.ddp.tracer.NextStep", rank, 1)
    watcher = run(Ddp(), ENDLESS_RUN, tracing())
    ending = watcher.terminal
    assert isinstance(ending, RunFailed)
    assert ending.message == "ArithmeticError: the trace broke"
    assert ending.num_epochs == 0
    assert not processes_of(os.getpid())


@pytest.mark.parametrize("rank", [0, 1])
def test_a_trace_that_breaks_while_the_run_is_paused_ends_it(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    break_trace(monkeypatch, "dpdash.training.ddp.tracer.Instruments", rank, NUM_STEPS + 1)
    control = tracing()
    with running(Ddp(), ENDLESS_RUN, control) as watcher, failing(watcher):
        control.pause()
        eventually(lambda: control.is_standing)
        control.trace_step()
    assert watcher.terminal.message == "ArithmeticError: the trace broke"  # type: ignore[union-attr]
    assert len(watcher.traces) == 1


def test_a_trace_that_cannot_be_told_leaves_the_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    break_trace(monkeypatch, "dpdash.training.trace.next_step.full_gradient", 0, 1)
    watcher = run(Ddp(), config_for(EngineName.DDP), tracing())
    assert isinstance(watcher.terminal, RunFinished)
    assert not watcher.traces


def test_a_rank_that_dies_in_traces_ends_the_run() -> None:
    control = tracing()
    with running(Ddp(), ENDLESS_RUN, control) as watcher, failing(watcher):
        control.pause()
        control.trace_step()
        watcher.wait_until(lambda: len(watcher.traces) == 2)
        ranks_of(os.getpid())[1].kill()
        control.trace_step()
    assert watcher.terminal.message == RANK_GONE  # type: ignore[union-attr]


def test_torchrun_that_dies_leaves_no_rank_behind() -> None:
    with running(Ddp(), ENDLESS_RUN, RunControl()) as watcher:
        watcher.wait_for(EpochBlock)
        # Beside what earlier tests of this process have started.
        [torchrun] = {rank.parent() for rank in ranks_of(os.getpid())}
        assert torchrun is not None
        processes = processes_of(os.getpid())
        torchrun.kill()
    # The ranks train on without it, and end with the run.
    assert isinstance(watcher.terminal, RunStopped)
    assert_gone(processes)


def test_a_paused_run_whose_rank_dies_ends_too() -> None:
    control = RunControl()
    with running(Ddp(), ENDLESS_RUN, control) as watcher, failing(watcher):
        control.pause()
        eventually(lambda: control.is_standing)
        ranks_of(os.getpid())[1].kill()
    assert watcher.terminal.message == RANK_GONE  # type: ignore[union-attr]


@pytest.mark.parametrize("in_a_training_process", [False, True])
def test_a_parent_that_is_killed_leaves_no_process_behind(in_a_training_process: bool) -> None:
    script = "import tests.faults.train_ddp as it; it.main()"
    parent = subprocess.Popen(
        [sys.executable, "-c", script, *(["outside"] if in_a_training_process else [])],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    with parent, parent.stdout as told:
        assert told.readline() == b"trains\n"
        processes = processes_of(parent.pid)
        assert len(ranks_of(parent.pid)) == 2
        folder = Path(ranks_of(parent.pid)[0].environ()["DPDASH_DDP_FOLDER"])
        assert folder.exists()
        parent.kill()
    assert_gone(processes)
    assert not folder.exists()


def test_it_trains_in_a_training_process_which_ends_with_it() -> None:
    processes = TrainingProcesses(1)
    processes.start()
    processes.wait_until_ready(START_SECONDS)
    try:
        control = RunControl()
        with running(processes.outside(Ddp()), ENDLESS_RUN, control) as watcher:
            watcher.wait_for(EpochBlock)
            control.pause()
            eventually(lambda: control.is_standing)
            below = processes_of(os.getpid())
            processes.close()
        assert_gone(below)
        assert isinstance(watcher.terminal, RunFailed)
    finally:
        processes.close()


def test_a_port_in_use_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for variable in ("MASTER_PORT", "PET_MASTER_PORT"):
            monkeypatch.setenv(variable, port)
        monkeypatch.setenv("PET_RDZV_ENDPOINT", f"127.0.0.1:{port}")
        assert isinstance(run(Ddp(), config_for(EngineName.DDP)).terminal, RunFinished)


def test_ranks_that_do_not_come_up_are_told_after_two_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILING_START_MARKS", str(tmp_path))
    monkeypatch.setenv("FAILING_STARTS", "2")
    monkeypatch.setattr("dpdash.training.ddp.engine.MODULE", "tests.faults.failing_start")
    ending = run(Ddp(), config_for(EngineName.DDP)).terminal
    assert isinstance(ending, RunFailed)
    assert ending.message == NO_START
    assert "this start fails" in ending.traceback
    assert not processes_of(os.getpid())


def test_a_start_that_fails_is_tried_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILING_START_MARKS", str(tmp_path))
    monkeypatch.setenv("FAILING_STARTS", "1")
    monkeypatch.setattr("dpdash.training.ddp.engine.MODULE", "tests.faults.failing_start")
    assert isinstance(run(Ddp(), config_for(EngineName.DDP)).terminal, RunFinished)


def test_a_run_that_is_stopped_while_it_starts_ends_at_once() -> None:
    control = RunControl()
    with running(Ddp(), ENDLESS_RUN, control) as watcher:
        eventually(lambda: processes_of(os.getpid()))
        processes = processes_of(os.getpid())
        control.stop()
        watcher.wait_for(RunStopped)
    assert watcher.terminal.num_epochs == 0
    assert_gone(processes)


def test_a_temporary_folder_with_a_long_name_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / (100 * "x")
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    assert isinstance(run(Ddp(), config_for(EngineName.DDP, epochs=3)).terminal, RunFinished)


def test_a_machine_without_a_temporary_folder_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    ended = run(Ddp(), config_for(EngineName.DDP, epochs=3)).terminal
    assert isinstance(ended, RunFailed) and ended.message == NO_FOLDER
