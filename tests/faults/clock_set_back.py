"""Run as a module, with the URL of a database: what holds while the clock of this process is set back.

Each promise is a function, in the order in which they are looked at; the name of each that is kept is printed.
"""

import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from unittest import mock

from dpdash.core.config import RunConfig
from dpdash.core.events import EpochBlock, RunStatus
from dpdash.core.settings import ServerSettings
from dpdash.runs.pace import Pace
from dpdash.runs.service import RunService
from dpdash.store.rows import RunRecord
from dpdash.store.url import sqlite_path
from tests.fakes import eventually

LONG: Final = 60.0
ENDLESS: Final = 1_000_000
WALL: Final = time.time


@dataclass
class Scene:
    """A service, the runs that it was given, and how far its clock was set back."""

    settings: ServerSettings
    service: RunService = field(init=False)
    ids: list[str] = field(default_factory=list)
    hours_back: int = 0

    def __post_init__(self) -> None:
        self.service = RunService.open(self.settings)

    def now(self) -> float:
        """What the clock says."""
        return WALL() - 3600 * self.hours_back

    def start(self, owner: str, epochs: int) -> str:
        """Start one more run."""
        self.service.browser_opened(owner)
        self.ids.append(self.service.start(RunConfig(samples=20, epochs=epochs), owner, Pace.full_speed()))
        return self.ids[-1]

    def num_epochs(self, run_id: str) -> int:
        """Epochs that are shown."""
        return self.service.runs.snapshot(run_id).history.num_epochs

    def rows(self, run_id: str) -> EpochBlock:
        """Epochs that are saved."""
        rows = self.service.runs.rows(run_id)
        assert rows is not None
        return rows


def a_run_goes_on_while_the_clock_is_set_back(scene: Scene) -> None:
    assert scene.service.runs.wait(scene.start("ann", epochs=20), LONG)
    run_id = scene.start("bob", ENDLESS)
    eventually(lambda: scene.num_epochs(run_id) > 100)
    scene.hours_back = 1
    before = scene.num_epochs(run_id)
    eventually(lambda: scene.num_epochs(run_id) > before)


def a_run_that_began_later_by_the_clock_can_be_stopped(scene: Scene) -> None:
    scene.service.stop(scene.ids[-1], "bob")
    assert scene.service.runs.wait(scene.ids[-1], LONG)
    assert scene.service.runs.snapshot(scene.ids[-1]).status is RunStatus.STOPPED


def the_next_run_trains_to_its_end(scene: Scene) -> None:
    run_id = scene.start("ann", epochs=20)
    assert scene.service.runs.wait(run_id, LONG)
    assert scene.service.runs.snapshot(run_id).status is RunStatus.FINISHED


def a_run_whose_browser_is_here_is_not_stopped(scene: Scene) -> None:
    scene.service.browser_closed("ann")
    scene.service.stop_abandoned()
    run_id = scene.start("bob", ENDLESS)
    eventually(lambda: scene.num_epochs(run_id) > 0)
    scene.service.stop_abandoned()
    before = scene.num_epochs(run_id)
    eventually(lambda: scene.num_epochs(run_id) > before)
    assert scene.service.runs.snapshot(run_id).status is RunStatus.RUNNING


def the_newest_run_stands_first(scene: Scene) -> None:
    assert _ids(scene.service.runs.latest()) == scene.ids[::-1]
    assert _ids(scene.service.runs.latest(limit=2)) == scene.ids[:1:-1]


def no_run_ends_before_it_began(scene: Scene) -> None:
    _assert_times(scene.service.runs.latest())


def another_process_sees_a_run_go_on(scene: Scene) -> None:
    run_id = scene.ids[-1]
    eventually(lambda: scene.service.runs.rows(run_id) is not None)
    other = RunService.open(scene.settings)
    seen = other.runs.snapshot(run_id).history.num_epochs
    scene.hours_back = 2
    eventually(lambda: other.runs.snapshot(run_id).history.num_epochs > seen)
    other.shutdown()


def what_could_not_be_saved_is_tried_again(scene: Scene) -> None:
    lock = sqlite3.connect(sqlite_path(scene.settings.database_url) or "", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    eventually(lambda: not scene.service.runs.health.ok)
    scene.hours_back = 3
    lock.close()
    eventually(lambda: scene.service.runs.health.ok)
    saved = len(scene.rows(scene.ids[-1]))
    eventually(lambda: len(scene.rows(scene.ids[-1])) > saved)


def the_next_service_lists_the_same_runs_in_the_same_order(scene: Scene) -> None:
    scene.service.shutdown()
    scene.service = RunService.open(scene.settings)
    assert _ids(scene.service.runs.latest()) == scene.ids[::-1]
    _assert_times(scene.service.runs.latest())


def the_seconds_of_a_run_never_go_back(scene: Scene) -> None:
    seconds = scene.rows(scene.ids[1]).seconds
    assert (seconds[1:] >= seconds[:-1]).all()


def _ids(records: tuple[RunRecord, ...]) -> list[str]:
    return [record.run_id for record in records]


def _assert_times(records: tuple[RunRecord, ...]) -> None:
    for record in records:
        assert record.ended_at is None or record.ended_at >= record.created_at, record
        assert record.seconds >= 0, record


PROMISES: Final[tuple[Callable[[Scene], None], ...]] = (
    a_run_goes_on_while_the_clock_is_set_back,
    a_run_that_began_later_by_the_clock_can_be_stopped,
    the_next_run_trains_to_its_end,
    a_run_whose_browser_is_here_is_not_stopped,
    the_newest_run_stands_first,
    no_run_ends_before_it_began,
    another_process_sees_a_run_go_on,
    what_could_not_be_saved_is_tried_again,
    the_next_service_lists_the_same_runs_in_the_same_order,
    the_seconds_of_a_run_never_go_back,
)


def main(url: str) -> None:
    """Look at each promise, and print its name once it is kept."""
    scene = Scene(ServerSettings(database_url=url, full_speed_slots=1))
    with mock.patch("time.time", scene.now):
        for promise in PROMISES:
            promise(scene)
            print(promise.__name__, flush=True)  # noqa: T201  # what the test reads
        scene.service.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
