import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import FrozenError, UnknownRunError
from dpdash.core.events import RunStatus, RunStopped, StopReason
from dpdash.runs.service import Pace, RunService
from tests.fakes import FakeEngine, eventually
from tests.unit.runs.conftest import MakeService

FULL = Pace.full_speed()
SLOW = Pace.rate(5)
CONFIG = RunConfig(epochs=50)
LONG = 20.0


class Changes:
    """Counts what a listener is told."""

    def __init__(self, service: RunService) -> None:
        self.num_told = 0
        service.on_change(self._told)

    def _told(self, run_id: str | None) -> None:
        self.num_told += 1


def assert_stopped_by_teacher(service: RunService, run_id: str) -> None:
    ended = service.runs.snapshot(run_id).history.ended
    assert isinstance(ended, RunStopped)
    assert ended.reason is StopReason.TEACHER
    assert service.runs.snapshot(run_id).status is RunStatus.STOPPED


def test_the_room_has_the_live_runs_in_the_order_of_their_starts(service: RunService) -> None:
    over, trains, waits = (service.start(CONFIG, owner, FULL) for owner in ("ann", "bob", "cleo"))
    stands = service.start(CONFIG, "ann", SLOW, paused=True)
    service.stop(over, "ann")
    assert service.runs.wait(over, LONG)
    eventually(lambda: service.runs.snapshot(trains).status is RunStatus.RUNNING)
    for owner in ("ann", "ann", "bob"):
        service.browser_opened(owner)
    room = service.room.snapshot()
    assert [(run.run_id, run.owner, run.status) for run in room.runs] == [
        (trains, "bob", RunStatus.RUNNING),
        (waits, "cleo", RunStatus.WAITING),
        (stands, "ann", RunStatus.PAUSED),
    ]
    assert (room.is_frozen, room.spotlight, room.generation) == (False, None, 0)
    assert (room.num_pages, room.num_browsers, room.refresh_seconds) == (3, 2, 0.25)


def test_the_interval_follows_the_crowd(make_service: MakeService) -> None:
    service = make_service(refresh_seconds=0.4)
    assert service.room.refresh_seconds == 0.4
    for number in range(40):
        service.browser_opened(f"browser {number}")
    assert service.room.refresh_seconds == service.room.snapshot().refresh_seconds == 1.0
    for number in range(32):
        service.browser_closed(f"browser {number}")
    assert (service.room.refresh_seconds, service.room.snapshot().num_pages) == (0.4, 8)


def test_a_freeze_refuses_new_runs_and_lets_the_others_go_on(service: RunService) -> None:
    trains, waits = (service.start(CONFIG, "ann", FULL) for _ in range(2))
    stands = service.start(CONFIG, "ann", SLOW, paused=True)
    service.room.freeze(True)
    service.room.freeze(True)
    assert service.room.is_frozen and service.room.snapshot().is_frozen
    with pytest.raises(FrozenError, match="The teacher has paused new runs"):
        service.start(CONFIG, "bob", SLOW)
    with pytest.raises(FrozenError):
        service.restart(trains, CONFIG, "ann", SLOW)
    service.resume(stands, "ann")
    eventually(lambda: service.runs.snapshot(stands).status is RunStatus.RUNNING)
    service.stop(trains, "ann")
    eventually(lambda: service.runs.snapshot(waits).status is RunStatus.RUNNING)
    service.room.freeze(False)
    assert not service.room.is_frozen
    service.start(CONFIG, "bob", SLOW)


def test_stopping_all_ends_runs_wherever_they_stand_and_says_how_many(
    make_service: MakeService, engine: FakeEngine
) -> None:
    service = make_service()
    trains, waits = (service.start(CONFIG, owner, FULL) for owner in ("ann", "bob"))
    stands = service.start(CONFIG, "cleo", SLOW, paused=True)
    resumes = service.start(CONFIG, "cleo", FULL, paused=True)
    service.step(resumes, "cleo")
    service.resume(resumes, "cleo")
    eventually(lambda: service.runs.snapshot(trains).status is RunStatus.RUNNING)
    assert service.room.stop_all() == 4
    assert service.room.stop_all() == 0
    for run_id in (trains, waits, stands, resumes):
        assert service.runs.wait(run_id, LONG)
        assert_stopped_by_teacher(service, run_id)
    assert engine.num_calls == 2, "none of those that waited began"
    assert service.room.snapshot().runs == ()
    service.start(CONFIG, "ann", FULL)
    service.shutdown()
    again = make_service()
    for run_id in (trains, waits, stands, resumes):
        assert_stopped_by_teacher(again, run_id)


def test_runs_stand_still_for_a_study_and_go_on_behind_it(service: RunService, engine: FakeEngine) -> None:
    changes = Changes(service)
    trains = [service.start(CONFIG, "ann", FULL), service.start(CONFIG, "bob", SLOW)]
    waits = service.start(CONFIG, "cleo", FULL)
    stands = service.start(CONFIG, "ann", SLOW, paused=True)
    eventually(lambda: engine.num_calls == 2 and service.runs.num_training() == 2)
    assert service.room.pause_all() == 3
    assert service.room.pause_all() == 0
    for run_id in (*trains, waits):
        eventually(lambda run_id=run_id: service.runs.snapshot(run_id).status is RunStatus.PAUSED)  # type: ignore[misc]
    assert engine.num_calls == 2, "the one that waited did not begin in between"
    assert (service.runs.num_training(), service.room.num_paused) == (0, 3)
    service.stop(trains[0], "ann")
    assert service.runs.wait(trains[0], LONG)
    num_told = changes.num_told
    service.room.resume_paused()
    service.room.resume_paused()
    assert changes.num_told == num_told + 1
    eventually(lambda: service.runs.num_training() == 2)
    assert service.runs.snapshot(stands).status is RunStatus.PAUSED, "somebody else paused it"
    assert service.room.num_paused == 0


def test_what_somebody_stopped_before_is_not_the_teachers(service: RunService, engine: FakeEngine) -> None:
    engine.step_gate.clear()
    run_id = service.start(CONFIG, "ann", SLOW, paused=True)
    service.set_learning_rate(run_id, "ann", 0.5)
    service.step(run_id, "ann")
    eventually(lambda: service.runs.snapshot(run_id).history.learning_rate_changes)
    service.stop(run_id, "ann")
    assert service.room.stop_all() == 0
    engine.step_gate.set()
    assert service.runs.wait(run_id, LONG)
    ended = service.runs.snapshot(run_id).history.ended
    assert isinstance(ended, RunStopped)
    assert ended.reason is StopReason.ASKED


def test_clearing_stops_all_ends_the_spotlight_and_begins_a_generation(service: RunService) -> None:
    run_id = service.start(CONFIG, "ann", SLOW)
    service.room.put_in_spotlight(run_id)
    service.room.clear()
    assert (service.room.spotlight, service.room.generation) == (None, 1)
    assert service.runs.wait(run_id, LONG)
    assert_stopped_by_teacher(service, run_id)
    assert [record.run_id for record in service.runs.latest()] == [run_id], "it stays stored"
    service.room.clear()
    assert service.room.snapshot().generation == service.room.generation == 2
    service.start(CONFIG, "ann", SLOW)


def test_runs_that_ended_by_themselves_stay_in_the_room_until_it_is_cleared(
    service: RunService, engine: FakeEngine
) -> None:
    stopped = service.start(CONFIG, "ann", SLOW)
    service.stop(stopped, "ann")
    engine.gate.set()
    trial = service.start(CONFIG, "ann", FULL, sweep_id="a sweep")
    first, second = (service.start(CONFIG, owner, FULL) for owner in ("ann", "bob"))
    for run_id in (stopped, trial, first, second):
        assert service.runs.wait(run_id, LONG)
    assert [run.run_id for run in service.room.snapshot().ended] == [second, first]
    service.room.clear()
    assert service.room.snapshot().ended == ()
    third = service.start(CONFIG, "ann", FULL)
    assert service.runs.wait(third, LONG)
    assert [run.run_id for run in service.room.snapshot().ended] == [third]


def test_a_freeze_outlasts_a_clearing(service: RunService) -> None:
    service.room.freeze(True)
    service.room.clear()
    assert service.room.is_frozen


def test_the_spotlight_is_on_a_run_until_it_is_moved(service: RunService) -> None:
    first, second = (service.start(CONFIG, "ann", SLOW) for _ in range(2))
    service.room.put_in_spotlight(first)
    assert service.room.spotlight == service.room.snapshot().spotlight == first
    for nobody in ("gone", "../../etc/passwd"):
        with pytest.raises(UnknownRunError):
            service.room.put_in_spotlight(nobody)
    assert service.room.spotlight == first
    service.stop(first, "ann")
    assert service.runs.wait(first, LONG)
    assert service.room.spotlight == first, "it is still worth looking at"
    service.room.put_in_spotlight(second)
    assert service.room.spotlight == second
    service.room.put_in_spotlight(None)
    assert service.room.spotlight is None


@pytest.mark.parametrize("saved", [True, False])
def test_the_run_in_the_spotlight_is_shown_however_old_it_is(
    make_service: MakeService, engine: FakeEngine, saved: bool
) -> None:
    engine.gate.set()
    service = make_service(saved=saved, paced=64)
    ids = [service.start(RunConfig(epochs=1), f"browser {number}", SLOW) for number in range(67)]
    assert all(service.runs.wait(run_id, LONG) for run_id in ids)
    service.room.put_in_spotlight(ids[0])
    service.forget_oldest()
    assert service.runs.snapshot(ids[0]).pace == SLOW
    if saved:
        assert service.runs.snapshot(ids[1]).pace is None, "only in the store"
    else:
        with pytest.raises(UnknownRunError):
            service.runs.snapshot(ids[1])


def test_a_run_of_the_store_can_be_put_in_the_spotlight(make_service: MakeService, engine: FakeEngine) -> None:
    engine.gate.set()
    service = make_service()
    run_id = service.start(CONFIG, "ann", FULL)
    assert service.runs.wait(run_id, LONG)
    service.shutdown()
    again = make_service()
    again.room.put_in_spotlight(run_id)
    assert again.room.spotlight == run_id


def test_listeners_are_told_of_every_change_and_of_nothing_else(service: RunService) -> None:
    run_id = service.start(CONFIG, "ann", SLOW)
    changes = Changes(service)
    told: list[int] = []
    commands: list[Callable[[], object]] = [
        lambda: service.room.freeze(True),
        lambda: service.room.freeze(True),
        lambda: service.room.put_in_spotlight(run_id),
        lambda: service.room.put_in_spotlight(run_id),
        lambda: service.room.stop_all(),
        lambda: service.room.clear(),
        lambda: service.room.freeze(False),
        lambda: service.room.put_in_spotlight(None),
    ]
    for command in commands:
        command()
        told.append(changes.num_told)
    assert told == [1, 1, 2, 2, 3, 4, 5, 5]


def test_a_listener_may_give_commands_and_sees_the_change(service: RunService) -> None:
    run_id = service.start(CONFIG, "ann", SLOW)
    seen: list[tuple[bool, str | None, int]] = []

    def listen(run_id: str | None) -> None:
        room = service.room.snapshot()
        seen.append((room.is_frozen, room.spotlight, room.generation))
        service.room.freeze(False)

    service.on_change(listen)
    service.room.freeze(True)
    service.room.put_in_spotlight(run_id)
    service.room.clear()
    assert seen == [(True, None, 0), (False, None, 0), (False, run_id, 0), (False, None, 1)]


def test_a_listener_that_fails_disturbs_nobody(service: RunService, caplog: pytest.LogCaptureFixture) -> None:
    def fail(run_id: str | None) -> None:
        raise RuntimeError("this page is gone")

    service.on_change(fail)
    changes = Changes(service)
    service.room.freeze(True)
    assert changes.num_told == 1
    assert "this page is gone" in caplog.text


def test_no_run_slips_in_behind_a_freeze(service: RunService) -> None:
    room = service.room
    freezing = threading.Thread(target=room.freeze, args=(True,))
    with room.admitting():
        freezing.start()
        freezing.join(0.2)
        assert freezing.is_alive() and not room.is_frozen
    freezing.join(LONG)
    with pytest.raises(FrozenError), room.admitting():
        pytest.fail("let in")


def test_a_freeze_and_stopping_all_leave_nothing_live(make_service: MakeService) -> None:
    service = make_service(max_runs_per_browser=100, paced=64)
    together = threading.Barrier(9)

    def click() -> None:
        together.wait(LONG)
        for _ in range(20):
            try:
                service.start(CONFIG, "ann", SLOW)
            except FrozenError:
                return

    with ThreadPoolExecutor(8) as pool:
        clicks = [pool.submit(click) for _ in range(8)]
        together.wait(LONG)
        service.room.freeze(True)
        service.room.stop_all()
    for each in clicks:
        each.result()
    eventually(lambda: service.room.snapshot().runs == ())
