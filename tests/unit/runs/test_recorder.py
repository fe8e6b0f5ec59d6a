from dpdash.core.events import (
    RunDiverged,
    RunFailed,
    RunFinished,
    RunPaused,
    RunStarted,
    RunStatus,
    RunStopped,
    StopReason,
)
from dpdash.core.history import History
from dpdash.runs.recorder import Recorder
from dpdash.store.absent import AbsentStore
from tests.fakes import block_of


def test_nothing_is_recorded_after_the_end() -> None:
    history = History()
    recorder = Recorder("run", history, AbsentStore())
    recorder.emit(block_of(1, 3))
    recorder.emit(finished := RunFinished(3, 3.0, 0.0, 1.0))
    recorder.emit(RunFailed(3, "late", "", 1.0))
    recorder.emit(block_of(4, 3))
    assert recorder.is_over
    assert (history.snapshot().ended, history.snapshot().num_epochs) == (finished, 3)


def test_every_new_status_is_told() -> None:
    told: list[RunStatus] = []
    recorder = Recorder("run", History(), AbsentStore(), told.append)
    started = RunStarted(1.0, ("cpu",), (10,), emulated=False, one_device_step_seconds=None)
    for event in (started, block_of(1, 3), RunPaused(3), RunDiverged(3, 4, 1.0)):
        recorder.emit(event)
    assert told == [RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.DIVERGED]


def test_a_run_that_its_server_took_along_is_interrupted_with_its_line() -> None:
    told: list[RunStatus] = []
    history = History()
    recorder = Recorder("run", history, AbsentStore(), told.append)
    recorder.emit(block_of(1, 3))
    recorder.emit(RunStopped(3, 2.5, 0.5, 1.0, StopReason.SHUTDOWN))
    assert recorder.is_over
    assert told == [RunStatus.INTERRUPTED]
    assert (history.snapshot().status, history.snapshot().line) == (RunStatus.INTERRUPTED, (2.5, 0.5))
