"""A study from its start to its end, whatever ends it."""

import os
import signal

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.scaling.study import Study, StudyStatus
from dpdash.scaling.live import GONE, NOT_STARTED, LiveStudy, Trainer, measuring_process
from dpdash.scaling.measure import MeasuringError
from dpdash.training.control import RunControl
from dpdash.training.engine import Emit
from dpdash.training.processes.handle import TrainingProcess
from tests.fakes import FakeClock, FakeTrainer, eventually
from tests.unit.sweeps.conftest import plan_of

LONG = 60.0


def new(**changes: object) -> Study:
    return Study("study", "ann", 5.0, plan_of(**changes), 2, 0)


def live_with(trainer: Trainer, study: Study | None = None, **options: object) -> LiveStudy:
    return LiveStudy(study or new(), start_trainer=lambda: trainer, **options)  # type: ignore[arg-type]


def test_all_is_measured_and_kept_as_it_comes() -> None:
    trainer, kept = FakeTrainer(lambda config: 100.0 * config.replicas), list[Study]()
    live = live_with(trainer, keep=kept.append)
    live.start()
    assert live.wait(LONG)
    shown = live.snapshot()
    assert (shown.study.status, shown.num_measured, shown.seconds_left) == (StudyStatus.FINISHED, 6, None)
    assert [len(study.measurements) for study in kept] == [1, 2, 3, 4, 5, 6, 6]
    assert kept[-1] == shown.study
    assert trainer.is_ended
    assert len(trainer.configs) == 8


def test_cancel_keeps_what_is_measured() -> None:
    trainer = FakeTrainer(lambda config: 100.0)
    live = live_with(trainer, keep=lambda study: trainer.gate.clear() if len(study.measurements) == 2 else None)
    live.start()
    eventually(lambda: live.snapshot().num_measured == 2)
    assert live.snapshot().seconds_left is not None
    live.cancel()
    live.cancel(StudyStatus.OUT_OF_TIME)
    assert live.wait(LONG)
    shown = live.snapshot().study
    assert (shown.status, len(shown.measurements), shown.message) == (StudyStatus.CANCELLED, 2, "")


def test_a_study_ends_when_its_time_is_over() -> None:
    trainer = FakeTrainer(lambda config: 100.0)
    trainer.gate.clear()
    live = live_with(trainer, longest_seconds=0.05)
    live.start()
    assert live.wait(LONG)
    assert live.snapshot().study.status is StudyStatus.OUT_OF_TIME


def test_an_epoch_without_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dpdash.scaling.live.END_SECONDS", 0.05)
    trainer = _Deaf()
    live = live_with(trainer)
    live.start()
    eventually(lambda: trainer.configs)
    live.cancel()
    assert live.wait(LONG)
    assert live.snapshot().study.status is StudyStatus.CANCELLED


class _Deaf(FakeTrainer):
    """Does not hear that it is to stop, as in an epoch that lasts."""

    def __init__(self) -> None:
        super().__init__(lambda config: 100.0)

    def run(self, config: RunConfig, emit: Emit, control: RunControl) -> None:
        self.configs.append(config)
        self._hung_up.wait()
        raise MeasuringError("gone")


def test_a_run_that_fails_ends_the_study_with_its_sentence() -> None:
    live = live_with(FakeTrainer(lambda config: 100.0, failure="The memory of this machine is full."))
    live.start()
    assert live.wait(LONG)
    shown = live.snapshot().study
    assert (shown.status, shown.message) == (StudyStatus.FAILED, "The memory of this machine is full.")


def test_a_process_that_cannot_be_started_is_told() -> None:
    def fail() -> Trainer:
        raise MeasuringError(NOT_STARTED)

    live = LiveStudy(new(), start_trainer=fail)
    live.start()
    assert live.wait(LONG)
    assert live.snapshot().study.message == NOT_STARTED


def test_what_nobody_expected_ends_the_study_too(caplog: pytest.LogCaptureFixture) -> None:
    live = live_with(FakeTrainer(lambda config: 1 / 0))
    live.start()
    assert live.wait(LONG)
    shown = live.snapshot().study
    assert (shown.status, shown.message) == (StudyStatus.FAILED, "ZeroDivisionError: division by zero")
    assert "A study broke." in caplog.text


def test_time_left_follows_from_what_measuring_has_taken() -> None:
    clock, trainer = FakeClock(), FakeTrainer(lambda config: 100.0)

    def kept(study: Study) -> None:
        clock.now += 2.0
        if len(study.measurements) == 3:
            trainer.gate.clear()

    live = live_with(trainer, keep=kept, clock=clock)
    live.start()
    eventually(lambda: live.snapshot().num_measured == 3 and clock.now == 1006.0)
    assert live.snapshot().seconds_left == pytest.approx(6.0)
    live.cancel()
    assert live.wait(LONG)


def test_a_real_process_measures_and_its_death_is_told() -> None:
    started: list[TrainingProcess] = []

    def start() -> Trainer:
        process = measuring_process()
        assert isinstance(process, TrainingProcess)
        started.append(process)
        return process

    study = new(replicas=2, repeats=20, seconds=0.05)
    live = LiveStudy(study, start_trainer=start)
    live.start()
    eventually(lambda: live.snapshot().num_measured >= 2, LONG)
    os.kill(started[0].pid, signal.SIGKILL)
    assert live.wait(LONG)
    shown = live.snapshot().study
    assert (shown.status, shown.message) == (StudyStatus.FAILED, GONE)
    assert len(shown.measurements) >= 2
