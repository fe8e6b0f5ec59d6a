"""What people and the server do with runs that are kept, with a clock that is turned by hand."""

from pathlib import Path

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import StoreError, UnknownRunError
from dpdash.core.events import RunFinished, RunStatus
from dpdash.core.settings import ServerSettings
from dpdash.runs.library import NOTICE_SECONDS, TIDY_SECONDS
from dpdash.runs.service import Pace, RunService
from dpdash.store.absent import AbsentStore
from dpdash.store.errors import READ_ONLY
from dpdash.store.query import RunLabel, RunQuery, Viewer
from dpdash.store.sqlite import SqliteDatabase
from dpdash.store.store import RunStore
from tests.fakes import FakeClock, FakeEngine, block_of, eventually
from tests.unit.runs.conftest import MakeService

ANN, BOB, ALL = Viewer("ann"), Viewer("bob"), Viewer("machine", sees_all=True)
LONG = 20.0


def saved(service: RunService, *names: str) -> None:
    """Runs that are over, in the order of their names."""
    store = service._store
    assert store is not None
    for name in names:
        store.create_run(name, RunConfig(), "ann", created_at=1.0)
        store.append(name, block_of(1, 10))
        store.append(name, RunFinished(10, 3.0, 0.0, 1.0))
    assert store.flush(LONG)


def listed(service: RunService, viewer: Viewer = ANN, *, is_deleted: bool = False) -> list[str]:
    return [row.run_id for row in service.library.page(RunQuery(viewer, is_deleted=is_deleted)).rows]


def tidied(service: RunService, clock: FakeClock, seconds: float) -> None:
    """Let time go by, and look around."""
    clock.now += max(seconds, TIDY_SECONDS)
    service.library.tidy()


def test_the_oldest_go_after_a_notice(make_service: MakeService, clock: FakeClock) -> None:
    service = make_service(keep_runs=2)
    saved(service, "a", "b", "c", "d")
    service.library.pin(["a"], ANN, True)
    assert service.library.retention is not None and service.library.retention.num_due == 0
    tidied(service, clock, 0)
    told = service.library.retention
    assert told is not None
    assert (told.num_due, told.seconds_left, told.keep_runs) == (2, NOTICE_SECONDS, 2)
    assert listed(service) == ["d", "c", "b", "a"], "said beforehand"
    service.library.pin(["b"], ANN, True)
    tidied(service, clock, NOTICE_SECONDS - 100)
    told = service.library.retention
    assert told is not None and told.seconds_left == 100
    tidied(service, clock, 100)
    assert listed(service) == ["d", "b", "a"], "d was told of only now"
    tidied(service, clock, NOTICE_SECONDS)
    assert listed(service) == ["b", "a"], "what is pinned stays"
    tidied(service, clock, NOTICE_SECONDS)
    assert listed(service) == ["b", "a"]
    assert service.library.retention is not None and service.library.retention.num_due == 0


def test_what_is_let_go_of_is_nowhere_any_more(make_service: MakeService, clock: FakeClock) -> None:
    service = make_service(keep_runs=1)
    saved(service, "a", "b")
    assert service.runs.snapshot("a").history.num_epochs == 10
    tidied(service, clock, 0)
    tidied(service, clock, NOTICE_SECONDS)
    with pytest.raises(UnknownRunError):
        service.runs.snapshot("a")
    assert service.runs.snapshot("b").history.num_epochs == 10


def test_disk_use_bounds_too(make_service: MakeService, clock: FakeClock) -> None:
    service = make_service(keep_megabytes=1)
    store = service._store
    assert store is not None
    for name in ("a", "b"):
        store.create_run(name, RunConfig(), "ann", created_at=1.0)
        store.append(name, block_of(1, 30_000))
        store.append(name, RunFinished(30_000, 3.0, 0.0, 1.0))
    assert store.flush(LONG)
    tidied(service, clock, 0)
    tidied(service, clock, NOTICE_SECONDS)
    assert listed(service) == ["b"]


def test_a_run_that_trains_is_never_let_go_of(
    make_service: MakeService, clock: FakeClock, engine: FakeEngine
) -> None:
    service = make_service(keep_runs=1)
    run_id = service.start(RunConfig(epochs=5), "ann", Pace.full_speed())
    store = service._store
    assert store is not None and store.flush(LONG)
    saved(service, "b")
    tidied(service, clock, 0)
    tidied(service, clock, NOTICE_SECONDS)
    assert listed(service) == [run_id]
    assert service.library.delete([run_id], ANN) == ()
    engine.gate.set()
    assert service.runs.wait(run_id, LONG)


def test_what_is_deleted_can_be_restored_for_a_day(tmp_path: Path, clock: FakeClock) -> None:
    now = FakeClock()
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    service = RunService(
        ServerSettings(database_url=url),
        RunStore(url),
        find_engine=lambda _: FakeEngine(),
        clock=now,
        steady_clock=clock,
    )
    saved(service, "a", "b")
    assert sorted(service.library.delete(["a", "b"], ANN)) == ["a", "b"]
    assert listed(service) == []
    assert sorted(listed(service, is_deleted=True)) == ["a", "b"]
    service.library.restore(["b"], ANN)
    now.now += 24 * 3600 - 1
    tidied(service, clock, 0)
    assert listed(service, is_deleted=True) == ["a"]
    now.now += 2
    tidied(service, clock, 0)
    assert (listed(service, is_deleted=True), listed(service)) == ([], ["b"])
    service.shutdown()


def test_a_browser_touches_its_own_runs_alone(service: RunService) -> None:
    saved(service, "a")
    label = RunLabel("mine", "", ())
    with pytest.raises(UnknownRunError):
        service.library.label("a", BOB, label)
    assert service.library.delete(["a"], BOB) == ()
    service.library.pin(["a"], BOB, True)
    assert listed(service, BOB) == []
    assert service.library.records(["a"], BOB) == ()
    (record,) = service.library.records(["a"], ANN)
    assert (record.name, record.is_pinned) == (None, False)
    service.library.label("a", ALL, label)
    assert service.library.records(["a"], ANN)[0].name == "mine"


def test_without_a_database_the_runs_in_memory_are_listed(make_service: MakeService, engine: FakeEngine) -> None:
    service = make_service(saved=False)
    engine.gate.set()
    first, second = (service.start(RunConfig(epochs=3), "ann", Pace.full_speed()) for _ in range(2))
    assert service.runs.wait(first, LONG) and service.runs.wait(second, LONG)
    assert listed(service) == [second, first]
    assert listed(service, BOB) == []
    assert service.library.tags(ANN) == ()
    assert [record.run_id for record in service.library.records([first], ANN)] == [first]
    for ids in ([first, second], [second, first]):
        assert [record.run_id for record in service.library.records(ids, ANN)] == ids
    assert not service.library.page(RunQuery(ANN)).is_unsearched
    for query in (RunQuery(ANN, text="adam"), RunQuery(ANN, tags=("mine",))):
        assert service.library.page(query).is_unsearched
    eventually(lambda: service.library.page(RunQuery(ANN, statuses=(RunStatus.FINISHED,))).num_found == 2)
    with pytest.raises(StoreError, match="no database"):
        service.library.pin([first], ANN, True)
    service.library.tidy()


def test_the_last_run_of_a_browser_is_none_of_a_sweep_and_not_deleted(
    service: RunService, engine: FakeEngine
) -> None:
    assert service.library.last("ann") is None
    saved(service, "a", "b")
    engine.gate.set()
    trial = service.start(RunConfig(epochs=5), "ann", Pace.full_speed(), sweep_id="sweep")
    others = service.start(RunConfig(epochs=5), "bob", Pace.full_speed())
    assert service.runs.wait(trial, LONG) and service.runs.wait(others, LONG)
    last = service.library.last("ann")
    assert last is not None and last.run_id == "b"
    service.library.delete(["b"], ANN)
    last = service.library.last("ann")
    assert last is not None and last.run_id == "a"


@pytest.mark.parametrize("is_saved", [True, False])
def test_a_run_that_is_not_over_is_the_last_one(is_saved: bool, make_service: MakeService) -> None:
    service = make_service(slots=2, saved=is_saved)
    first = service.start(RunConfig(epochs=5), "ann", Pace.full_speed())
    second = service.start(RunConfig(epochs=5), "ann", Pace.full_speed())
    service.stop(second, "ann")
    assert service.runs.wait(second, LONG)
    last = service.library.last("ann")
    assert last is not None and last.run_id == first
    service.stop(first, "ann")
    assert service.runs.wait(first, LONG)
    eventually(lambda: (last := service.library.last("ann")) is not None and last.run_id == second)


def test_without_a_database_the_trials_of_a_sweep_are_one_row_too() -> None:
    service = RunService(ServerSettings(), AbsentStore(), find_engine=lambda _config: FakeEngine())
    pace = Pace.full_speed()
    first, alone, second = (
        service.start(RunConfig(), "ann", pace, paused=True, sweep_id=sweep_id)
        for sweep_id in ("a-sweep", None, "a-sweep")
    )
    page = service.library.page(RunQuery(ANN))
    assert ([row.run_id for row in page.rows], page.num_found) == ([second, alone], 2)
    assert page.folds[second].run_ids == (second, first)
    assert list(page.folds) == [second]
    opened = service.library.page(RunQuery(ANN, unfolded=("a-sweep",)))
    assert ([row.run_id for row in opened.rows], opened.folds) == ([second, alone, first], {})
    service.shutdown(timeout=5)


def test_a_database_that_cannot_be_written_is_listed(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_service()
    saved(first, "a")
    first.shutdown()

    def refuse(self: SqliteDatabase) -> None:
        raise StoreError(READ_ONLY, path=self.name)

    monkeypatch.setattr(SqliteDatabase, "prepare", refuse)
    service = make_service()
    assert listed(service) == ["a"]
    rows = service.runs.rows("a")
    assert rows is not None and len(rows) == service.runs.snapshot("a").history.num_epochs == 10
    assert service.runs.health.problem is not None
    assert "is read-only, so nothing is saved" in str(service.runs.health.problem)
