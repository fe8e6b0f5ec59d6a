import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import (
    DpdashError,
    EngineUnavailableError,
    NotOwnerError,
    SettingError,
    StoreError,
    UnknownRunError,
)
from dpdash.core.events import RunFailed, RunStatus, RunStopped, StopReason
from dpdash.core.settings import ServerSettings
from dpdash.runs import service as runs_service
from dpdash.runs.service import Pace, RunService
from dpdash.store import errors as problems
from dpdash.store.absent import AbsentStore
from dpdash.training.control import RunControl
from dpdash.training.engine import Engine
from tests.fakes import FakeClock, FakeEngine, eventually
from tests.unit.runs.conftest import MakeService

FULL = Pace.full_speed()
SLOW = Pace.rate(5)
CONFIG = RunConfig(epochs=50)
LONG = 20.0


def status(service: RunService, run_id: str) -> RunStatus:
    return service.runs.snapshot(run_id).status


def await_status(service: RunService, run_id: str, wanted: RunStatus) -> None:
    eventually(lambda: status(service, run_id) is wanted)


def queue(service: RunService, *run_ids: str) -> list[tuple[str | None, int | None]]:
    snapshots = [service.runs.snapshot(run_id) for run_id in run_ids]
    return [(snapshot.waiting_for, snapshot.place) for snapshot in snapshots]


def control_of(service: RunService, run_id: str) -> RunControl:
    run = service._scheduler.get(run_id)
    assert run is not None
    return run.control


def start(service: RunService, count: int = 1, pace: Pace = FULL) -> list[str]:
    return [service.start(CONFIG, "ann", pace) for _ in range(count)]


def test_a_run_trains_to_its_end_and_is_saved(service: RunService, engine: FakeEngine) -> None:
    engine.gate.set()
    run_id = service.start(CONFIG, "ann", FULL)
    assert re.fullmatch(r"[\w-]{12}", run_id)
    assert service.runs.wait(run_id, LONG)
    shown = service.runs.snapshot(run_id)
    assert (shown.status, shown.is_live, shown.waiting_for) == (RunStatus.FINISHED, False, None)
    assert (shown.history.num_epochs, shown.history.line) == (50, (3.0, 0.0))
    assert shown.saved.ok
    rows = service.runs.rows(run_id)
    assert rows is not None
    assert len(rows) == 50
    row = service.runs.row(run_id, 7)
    assert row is not None
    assert (row.epoch, row.loss) == (7, rows.loss[6])


def test_further_runs_wait_in_order_and_move_up(service: RunService) -> None:
    first, second, third = start(service, 3)
    assert status(service, second) is RunStatus.WAITING
    assert queue(service, first, second, third) == [(None, None), ("start", 1), ("start", 2)]
    service.stop(first, "ann")
    await_status(service, second, RunStatus.RUNNING)
    assert queue(service, second, third) == [(None, None), ("start", 1)]
    assert service.runs.num_training() == 1


def test_paced_runs_do_not_wait_behind_full_speed(service: RunService) -> None:
    start(service, 2)
    [paced] = start(service, pace=SLOW)
    await_status(service, paced, RunStatus.RUNNING)


def test_a_paused_run_gives_its_slot_and_queues_for_it_again(service: RunService) -> None:
    first, second = start(service, 2)
    await_status(service, first, RunStatus.RUNNING)
    service.pause(first, "ann")
    service.pause(first, "ann")
    await_status(service, first, RunStatus.PAUSED)
    await_status(service, second, RunStatus.RUNNING)
    assert service.runs.num_training() == 1
    service.resume(first, "ann")
    service.resume(first, "ann")
    shown = service.runs.snapshot(first)
    assert (shown.status, shown.waiting_for, shown.place) == (RunStatus.WAITING, "resume", 1)
    service.stop(second, "ann")
    await_status(service, first, RunStatus.RUNNING)
    assert service.runs.snapshot(first).waiting_for is None


def test_pausing_a_run_that_waits_to_resume_leaves_the_queue(service: RunService) -> None:
    first, second = start(service, 2)
    await_status(service, first, RunStatus.RUNNING)
    service.pause(first, "ann")
    await_status(service, second, RunStatus.RUNNING)
    service.resume(first, "ann")
    service.pause(first, "ann")
    await_status(service, first, RunStatus.PAUSED)
    assert queue(service, first) == [(None, None)]


def test_a_run_that_waits_to_begin_can_be_paused_and_queues_again(service: RunService, engine: FakeEngine) -> None:
    first, second, third = start(service, 3)
    service.pause(second, "ann")
    service.pause(second, "ann")
    assert status(service, second) is RunStatus.PAUSED
    assert queue(service, second, third) == [(None, None), ("start", 1)]
    service.resume(second, "ann")
    assert queue(service, third, second) == [("start", 1), ("start", 2)]
    assert status(service, second) is RunStatus.WAITING
    service.stop(first, "ann")
    service.stop(third, "ann")
    await_status(service, second, RunStatus.RUNNING)
    engine.gate.set()
    assert service.runs.wait(second, LONG)
    assert status(service, second) is RunStatus.FINISHED


def test_a_single_epoch_needs_no_slot(service: RunService) -> None:
    first, second = start(service, 2)
    await_status(service, first, RunStatus.RUNNING)
    service.step(first, "ann")
    await_status(service, first, RunStatus.PAUSED)
    await_status(service, second, RunStatus.RUNNING)
    assert service.runs.snapshot(first).history.num_epochs == 1
    service.step(first, "ann")
    eventually(lambda: service.runs.snapshot(first).history.num_epochs == 2)
    await_status(service, first, RunStatus.PAUSED)


def test_a_single_epoch_of_a_run_that_has_not_begun(service: RunService) -> None:
    _, second = start(service, 2)
    service.step(second, "ann")
    eventually(lambda: service.runs.snapshot(second).history.num_epochs == 1)
    await_status(service, second, RunStatus.PAUSED)


def test_a_run_that_is_started_paused_stands_before_its_first_epoch(service: RunService) -> None:
    busy = start(service)[0]
    run_id = service.start(CONFIG, "ann", FULL, paused=True)
    assert (status(service, run_id), queue(service, run_id)) == (RunStatus.PAUSED, [(None, None)])
    service.step(run_id, "ann")
    eventually(lambda: service.runs.snapshot(run_id).history.num_epochs == 1)
    await_status(service, run_id, RunStatus.PAUSED)
    replacing = service.restart(run_id, CONFIG, "ann", FULL, paused=True)
    await_status(service, run_id, RunStatus.STOPPED)
    assert status(service, replacing) is RunStatus.PAUSED
    assert status(service, busy) is RunStatus.RUNNING


def test_stopping_a_run_that_waits_ends_it_at_once(service: RunService, engine: FakeEngine) -> None:
    first, second, third = start(service, 3)
    service.stop(second, "ann")
    shown = service.runs.snapshot(second)
    assert (shown.status, shown.history.num_epochs, shown.history.line) == (RunStatus.STOPPED, 0, None)
    assert queue(service, third) == [("start", 1)]
    service.stop(first, "ann")
    await_status(service, third, RunStatus.RUNNING)
    assert engine.num_calls == 2


def test_full_speed_begins_when_a_slot_is_free(service: RunService) -> None:
    [full] = start(service)
    [paced] = start(service, pace=SLOW)
    await_status(service, paced, RunStatus.RUNNING)
    service.set_pace(paced, "ann", FULL)
    shown = service.runs.snapshot(paced)
    assert (shown.status, shown.waiting_for, shown.place) == (RunStatus.RUNNING, "full_speed", 1)
    assert shown.pace == FULL
    control = control_of(service, paced)
    assert control.epochs_per_second == 5, "it keeps its pace meanwhile"
    service.stop(full, "ann")
    eventually(lambda: control.epochs_per_second is None)
    assert queue(service, paced) == [(None, None)]


def test_a_run_that_slows_down_frees_its_slot(service: RunService) -> None:
    first, second = start(service, 2)
    service.set_pace(first, "ann", SLOW)
    await_status(service, second, RunStatus.RUNNING)
    assert control_of(service, first).epochs_per_second == 5


def test_the_pace_of_a_paused_run_counts_when_it_goes_on(service: RunService) -> None:
    first, second = start(service, 2)
    service.pause(first, "ann")
    await_status(service, second, RunStatus.RUNNING)
    service.set_pace(first, "ann", SLOW)
    service.resume(first, "ann")
    await_status(service, first, RunStatus.RUNNING)


def test_restart_takes_the_slot_of_the_old_run_past_the_queue(service: RunService) -> None:
    first, second = start(service, 2)
    await_status(service, first, RunStatus.RUNNING)
    third = service.restart(first, CONFIG, "ann", FULL)
    assert third != first
    await_status(service, first, RunStatus.STOPPED)
    await_status(service, third, RunStatus.RUNNING)
    assert queue(service, second) == [("start", 1)]


def test_restart_of_another_browsers_run_leaves_that_alone(service: RunService) -> None:
    [first] = start(service, pace=SLOW)
    second = service.restart(first, CONFIG, "bob", SLOW)
    await_status(service, second, RunStatus.RUNNING)
    assert control_of(service, first).stop_reason is None, "its status may lag behind"
    assert status(service, first) is RunStatus.RUNNING


def test_restart_of_a_run_that_nobody_knows_just_starts(service: RunService) -> None:
    run_id = service.restart("gone", CONFIG, "ann", FULL)
    await_status(service, run_id, RunStatus.RUNNING)


COMMANDS: dict[str, Callable[[RunService, str, str], None]] = {
    "pause": RunService.pause,
    "resume": RunService.resume,
    "step": RunService.step,
    "stop": RunService.stop,
    "reset": RunService.reset,
    "set_learning_rate": lambda service, run_id, owner: service.set_learning_rate(run_id, owner, 0.1),
    "set_pace": lambda service, run_id, owner: service.set_pace(run_id, owner, SLOW),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_only_the_owner_steers(service: RunService, command: Callable[[RunService, str, str], None]) -> None:
    [run_id] = start(service)
    with pytest.raises(NotOwnerError):
        command(service, run_id, "bob")
    with pytest.raises(UnknownRunError, match="no run gone here"):
        command(service, "gone", "ann")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_commands_to_a_finished_run_do_nothing(
    service: RunService, engine: FakeEngine, command: Callable[[RunService, str, str], None]
) -> None:
    engine.gate.set()
    [run_id] = start(service)
    assert service.runs.wait(run_id, LONG)
    before = service.runs.snapshot(run_id)
    command(service, run_id, "ann")
    with pytest.raises(NotOwnerError):
        command(service, run_id, "bob")
    after = service.runs.snapshot(run_id)
    assert (after.status, after.history) == (RunStatus.FINISHED, before.history)


def test_a_learning_rate_reaches_the_run(service: RunService) -> None:
    [run_id] = start(service)
    service.set_learning_rate(run_id, "ann", 0.5)
    eventually(lambda: service.runs.snapshot(run_id).history.learning_rate_changes)
    assert service.runs.snapshot(run_id).history.learning_rate_changes[0].learning_rate == 0.5


@pytest.mark.parametrize("value", [0.0, -1.0, 11.0, float("nan"), float("inf")])
def test_a_learning_rate_out_of_bounds_is_refused(service: RunService, value: float) -> None:
    [run_id] = start(service)
    with pytest.raises(SettingError, match="learning rate must be"):
        service.set_learning_rate(run_id, "ann", value)


def test_an_engine_that_raises_ends_its_run_and_frees_the_slot(make_service: MakeService) -> None:
    broken = FakeEngine(failure=ZeroDivisionError("by nothing"))
    broken.gate.set()
    service = make_service(engine=broken)
    first, second = start(service, 2)
    for run_id in (first, second):
        assert service.runs.wait(run_id, LONG)
        ended = service.runs.snapshot(run_id).history.ended
        assert isinstance(ended, RunFailed)
        assert ended.message == "ZeroDivisionError: by nothing"
        assert ended.num_epochs == 3
        assert "Traceback" in ended.traceback


def test_an_engine_that_ends_without_a_word_has_failed(make_service: MakeService) -> None:
    class Silent(FakeEngine):
        def run(self, config: object, emit: object, control: object, start: object = None) -> None:
            pass

    service = make_service(engine=Silent())
    [run_id] = start(service)
    assert service.runs.wait(run_id, LONG)
    assert status(service, run_id) is RunStatus.FAILED


def test_an_engine_that_is_not_there_starts_nothing(tmp_path: Path) -> None:
    def refuse(config: RunConfig) -> Engine:
        raise EngineUnavailableError("No GPU.")

    service = RunService(ServerSettings(), AbsentStore(), find_engine=refuse)
    with pytest.raises(EngineUnavailableError):
        service.start(CONFIG, "ann", FULL)
    assert service.runs.latest() == ()
    service.shutdown()


def test_runs_of_a_browser_that_is_gone_are_stopped_and_kept(make_service: MakeService, clock: FakeClock) -> None:
    service = make_service(slots=2)
    service.browser_opened("ann")
    service.browser_opened("bob")
    [anns] = start(service)
    bobs = service.start(CONFIG, "bob", FULL)
    [waiting] = start(service)
    service.browser_closed("ann")
    clock.now += 119
    service.stop_abandoned()
    assert status(service, anns) is not RunStatus.STOPPED
    clock.now += 1
    service.stop_abandoned()
    for run_id in (anns, waiting):
        assert service.runs.wait(run_id, LONG)
        ended = service.runs.snapshot(run_id).history.ended
        assert isinstance(ended, RunStopped)
        assert ended.reason is StopReason.BROWSER_GONE
    assert status(service, bobs) is RunStatus.RUNNING
    assert {record.run_id for record in service.runs.latest()} == {anns, bobs, waiting}


WAYS_TO_MOVE: dict[str, Callable[[RunService, str], object]] = {
    "resume": lambda service, run_id: service.resume(run_id, "ann"),
    "step": lambda service, run_id: service.step(run_id, "ann"),
    "trace": lambda service, run_id: service.trace_step(run_id, "ann"),
}
WAYS_TO_END: dict[str, Callable[[RunService, str], object]] = {
    "stop": lambda service, run_id: service.stop(run_id, "ann"),
    "reset": lambda service, run_id: service.reset(run_id, "ann"),
    "restart": lambda service, run_id: service.restart(run_id, CONFIG, "ann", FULL),
    "the teacher": lambda service, run_id: service.room.stop_all(),
    "the browser is gone": lambda service, run_id: service.stop_abandoned(),
}


def paused_run(service: RunService) -> str:
    """A run that trained, and stands."""
    run_id = service.start(CONFIG, "ann", Pace.rate(5))
    await_status(service, run_id, RunStatus.RUNNING)
    service.pause(run_id, "ann")
    await_status(service, run_id, RunStatus.PAUSED)
    return run_id


@pytest.mark.parametrize("way", WAYS_TO_MOVE)
def test_whoever_watches_a_paused_run_is_told_that_it_moves(make_service: MakeService, way: str) -> None:
    service = make_service()
    run_id = paused_run(service)
    told: list[str | None] = []
    service.on_change(told.append)
    WAYS_TO_MOVE[way](service, run_id)
    assert told == [run_id]


@pytest.mark.parametrize("way", WAYS_TO_END)
@pytest.mark.parametrize("has_begun", [True, False])
def test_whoever_watches_a_paused_run_is_told_of_its_end(
    make_service: MakeService, clock: FakeClock, way: str, has_begun: bool
) -> None:
    service = make_service()
    service.browser_opened("ann")
    run_id = paused_run(service) if has_begun else service.start(CONFIG, "ann", FULL, paused=True)
    service.browser_closed("ann")
    clock.now += 1000
    seen: list[tuple[str | None, bool]] = []
    service.on_change(lambda changed: seen.append((changed, service.runs.snapshot(run_id).status.is_over)))
    WAYS_TO_END[way](service, run_id)
    eventually(lambda: (run_id, True) in seen or (None, True) in seen)


def test_what_goes_wrong_once_does_not_end_what_the_service_looks_after(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[str] = []

    def breaks(service: RunService) -> None:
        looks.append("broken")
        raise RuntimeError("a database driver's own error")

    monkeypatch.setattr(runs_service, "LOOK_AROUND_SECONDS", 0.01)
    monkeypatch.setattr(RunService, "stop_abandoned", breaks)
    monkeypatch.setattr(RunService, "forget_oldest", lambda service: looks.append("forgotten"))
    make_service()
    eventually(lambda: looks.count("broken") >= 2 and looks.count("forgotten") >= 2)
    assert "a database driver's own error" in caplog.text


def test_shutdown_ends_and_saves_everything(make_service: MakeService) -> None:
    service = make_service()
    running, waiting, paused = start(service, 3)
    await_status(service, running, RunStatus.RUNNING)
    service.step(paused, "ann")
    await_status(service, paused, RunStatus.PAUSED)
    service.shutdown()
    service.shutdown()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(("run-", "store-"))]
    with pytest.raises(DpdashError, match="ending"):
        service.start(CONFIG, "ann", FULL)
    again = make_service()
    for run_id in (running, waiting, paused):
        ended = again.runs.snapshot(run_id).history.ended
        assert isinstance(ended, RunStopped)
        assert ended.reason is StopReason.SHUTDOWN


def test_a_stored_run_is_shown_by_the_next_service(make_service: MakeService, engine: FakeEngine) -> None:
    engine.gate.set()
    service = make_service()
    [run_id] = start(service)
    assert service.runs.wait(run_id, LONG)
    live = service.runs.snapshot(run_id)
    service.shutdown()
    again = make_service()
    shown = again.runs.snapshot(run_id)
    assert (shown.config, shown.owner, shown.status) == (live.config, live.owner, live.status)
    assert (shown.pace, shown.is_live, shown.created_at) == (None, False, live.created_at)
    assert shown.history.ended == live.history.ended
    assert again.runs.snapshot(run_id).history is shown.history, "forty watchers read it once"
    assert again.runs.row(run_id, 20) == service.runs.snapshot(run_id).history.row(20)
    assert [record.run_id for record in again.runs.latest()] == [run_id]


def test_the_list_has_new_runs_at_once_and_the_newest_first(service: RunService) -> None:
    ids = start(service, 3)
    assert [record.run_id for record in service.runs.latest()] == ids[::-1]
    assert [record.run_id for record in service.runs.latest(limit=2)] == ids[:0:-1]


def test_finished_runs_in_memory_are_bounded(make_service: MakeService, engine: FakeEngine) -> None:
    engine.gate.set()
    service = make_service(slots=2, paced=64, max_runs_per_browser=100)
    ids = [service.start(RunConfig(epochs=1), "ann", FULL) for _ in range(70)]
    assert all(service.runs.wait(run_id, LONG) for run_id in ids)
    assert service.runs.snapshot(ids[0]).pace == FULL, "from memory"
    service.forget_oldest()
    shown = service.runs.snapshot(ids[0])
    assert (shown.status, shown.pace) == (RunStatus.FINISHED, None), "from the store"
    assert service.runs.snapshot(ids[-64]).pace == FULL


ASK: dict[str, Callable[[RunService, str], object]] = {
    "snapshot": lambda service, run_id: service.runs.snapshot(run_id),
    "rows": lambda service, run_id: service.runs.rows(run_id),
    "row": lambda service, run_id: service.runs.row(run_id, 1),
    "resume_ended": lambda service, run_id: service.resume_ended(run_id, "ann", FULL),
    "put_in_spotlight": lambda service, run_id: service.room.put_in_spotlight(run_id),
}
HOSTILE = (
    "",
    "../../etc/passwd",
    "x" * 10_000,
    "a\0b",
    "🦆" * 50,
    "\ud800",
    "\udcff" * 5000,
    "' OR 1=1 --",
    "run\n",
    "été",
    "\x1b[31m",
)


def assert_told_in_a_short_printable_sentence(service: RunService, ask: Callable[[str], object]) -> None:
    for run_id in HOSTILE:
        with pytest.raises(UnknownRunError) as raised:
            ask(run_id)
        sentence = str(raised.value)
        assert len(sentence) < 200
        assert sentence.isprintable()
        assert sentence.encode()
        assert service.runs.health.ok, "the database was not asked"


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_whoever_asks_for_a_hostile_id_is_told_that_there_is_no_such_run(
    service: RunService, ask: Callable[[RunService, str], object]
) -> None:
    assert_told_in_a_short_printable_sentence(service, lambda run_id: ask(service, run_id))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_whoever_steers_a_hostile_id_is_told_that_there_is_no_such_run(
    service: RunService, command: Callable[[RunService, str, str], None]
) -> None:
    assert_told_in_a_short_printable_sentence(service, lambda run_id: command(service, run_id, "ann"))


def test_a_restart_in_place_of_a_hostile_id_just_starts(service: RunService) -> None:
    for number, run_id in enumerate(HOSTILE):
        new = service.restart(run_id, CONFIG, f"browser {number}", SLOW)
        assert service.runs.wait(run_id, 0)
        assert not service.runs.snapshot(new).status.is_over


@pytest.mark.parametrize("epoch", [-(2**70), -1, 0, 51, 2**63, 2**70])
def test_an_epoch_that_there_is_not_is_the_nearest_one(
    service: RunService, engine: FakeEngine, epoch: int
) -> None:
    engine.gate.set()
    [run_id] = start(service)
    assert service.runs.wait(run_id, LONG)
    service.runs.rows(run_id)
    row = service.runs.row(run_id, epoch)
    assert row is not None
    assert row.epoch == (50 if epoch > 50 else 1)
    assert service.runs.health.ok, "no number was too big for the database"


def test_without_a_store_training_goes_on_and_says_so(make_service: MakeService, engine: FakeEngine) -> None:
    engine.gate.set()
    service = make_service(saved=False)
    [run_id] = start(service)
    assert service.runs.wait(run_id, LONG)
    shown = service.runs.snapshot(run_id)
    assert (shown.status, shown.saved.ok) == (RunStatus.FINISHED, False)
    assert service.runs.health.problem is not None
    assert service.runs.rows(run_id) is None
    row = service.runs.row(run_id, 7)
    assert row is not None
    assert row.epoch == 7
    [record] = service.runs.latest()
    assert (record.run_id, record.num_epochs, record.slope) == (run_id, 50, 3.0)


def test_a_database_that_cannot_be_opened_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    junk = tmp_path / "runs.db"
    junk.write_text("not a database " * 100)
    service = RunService.open(ServerSettings(database_url=f"sqlite:///{junk}"))
    assert isinstance(service.runs.health.problem, StoreError)
    assert service.runs.health.problem.template == problems.CORRUPT
    assert "not saved" in caplog.text
    run_id = service.start(RunConfig(samples=10, epochs=5), "ann", FULL)
    assert service.runs.wait(run_id, LONG)
    assert status(service, run_id) is RunStatus.FINISHED
    service.shutdown()


def test_a_real_engine_is_recorded_and_saved(tmp_path: Path) -> None:
    service = RunService.open(ServerSettings(database_url=f"sqlite:///{tmp_path / 'runs.db'}"))
    run_id = service.start(RunConfig(samples=100, epochs=300), "ann", FULL)
    assert service.runs.wait(run_id, LONG)
    shown = service.runs.snapshot(run_id)
    assert shown.status is RunStatus.FINISHED
    rows = service.runs.rows(run_id)
    assert rows is not None
    assert len(rows) == 300
    assert rows.loss[-1] < rows.loss[0]
    service.shutdown()


def test_a_paused_run_that_no_longer_moves_has_said_everything(tmp_path: Path) -> None:
    service = RunService(ServerSettings(database_url=f"sqlite:///{tmp_path / 'runs.db'}"), AbsentStore())
    run_id = service.start(RunConfig(samples=20), "ann", FULL, paused=True)
    assert not service.runs.snapshot(run_id).is_moving
    for epoch in range(1, 6):
        # A learning rate is said before its epoch: a page that stops looking in between would never show it.
        service.set_learning_rate(run_id, "ann", 0.01 + epoch / 1000)
        service.step(run_id, "ann")
        eventually(lambda: not service.runs.snapshot(run_id).is_moving)
        shown = service.runs.snapshot(run_id)
        assert (shown.status, shown.history.num_epochs) == (RunStatus.PAUSED, epoch)
    service.shutdown()
    assert not service.runs.snapshot(run_id).is_moving


def test_a_step_that_takes_long_is_waited_for(service: RunService, engine: FakeEngine) -> None:
    engine.step_gate.clear()
    run_id = service.start(CONFIG, "ann", FULL, paused=True)
    service.set_learning_rate(run_id, "ann", 0.5)
    service.step(run_id, "ann")
    eventually(lambda: service.runs.snapshot(run_id).history.learning_rate_changes)
    assert service.runs.snapshot(run_id).is_moving
    engine.step_gate.set()
    eventually(lambda: not service.runs.snapshot(run_id).is_moving)
    assert service.runs.snapshot(run_id).history.num_epochs == 1


def test_only_a_trial_is_ended_as_one(service: RunService, engine: FakeEngine) -> None:
    trial = service.start(RunConfig(epochs=5), "ann", Pace.full_speed(), sweep_id="sweep")
    other = service.start(RunConfig(epochs=5), "ann", Pace.full_speed())
    for run_id in (other, "no such run", trial, trial):
        service.end_trial(run_id)
    assert service.runs.wait(trial, 30)
    ended = service.runs.snapshot(trial).history.ended
    assert isinstance(ended, RunStopped) and ended.reason is StopReason.SWEEP
    assert not service.runs.snapshot(other).is_stopping
    assert [record.sweep_id for record in service.runs.latest()] == [None, "sweep"]
