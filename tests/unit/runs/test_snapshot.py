from dpdash.core.config import RunConfig
from dpdash.core.events import RunPaused
from dpdash.runs.pace import Pace
from dpdash.runs.run import LiveRun
from dpdash.runs.slots import Slots
from dpdash.runs.snapshot import of_live_run
from dpdash.store.absent import AbsentStore
from dpdash.store.errors import HEALTHY
from dpdash.training.control import RunControl
from tests.fakes import FakeClock, FakeEngine, block_of


class ComesToAStand(RunControl):
    """A run that says its last words at the very moment when somebody asks whether it stands."""

    def __init__(self, run: LiveRun) -> None:
        super().__init__()
        self._run = run

    @property
    def is_standing(self) -> bool:
        self._run.recorder.emit(block_of(1, 1))
        self._run.recorder.emit(RunPaused(1))
        return True


def test_a_run_that_stands_has_said_everything() -> None:
    run = LiveRun("a", RunConfig(epochs=9), "ann", Pace.full_speed(), FakeEngine(), AbsentStore(), FakeClock())
    run.pause_before_launch()
    run.control = ComesToAStand(run)
    shown = of_live_run(run, Slots(1, 1), HEALTHY)
    assert (shown.is_moving, shown.history.num_epochs) == (False, 1)
