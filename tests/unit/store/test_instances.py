"""What a process takes back that was taken for dead: the server of its database was away."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from dpdash.core.config import RunConfig
from dpdash.core.errors import StoreError
from dpdash.core.events import RunStarted, RunStatus, RunStopped, StopReason
from dpdash.store.instances import Instance
from dpdash.store.sqlite import FileLocks
from dpdash.store.store import RunStore

LONG = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def wronged(path: Path) -> RunStore:
    """A store that trains one run and has ended another itself, and that another process has taken for dead."""
    store = RunStore(f"sqlite:///{path}")
    for run_id in ("trains", "ended"):
        store.create_run(run_id, RunConfig(), "ann", 1.0)
        store.append(run_id, RunStarted(1.0, ("cpu",), (10,), False, None))
    store.append("ended", RunStopped(0, 1.0, 2.0, 0.5, StopReason.SHUTDOWN))
    assert store.flush(LONG)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET status = 'interrupted'")
        connection.execute("DELETE FROM instances")
    return store


@pytest.fixture
def renewed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What each renewal of the locks finds; nothing was lost where the list is empty."""
    found: list[bool] = []
    monkeypatch.setattr(FileLocks, "renew", lambda _locks: found.pop() if found else False)
    return found


def statuses(store: RunStore) -> dict[str, RunStatus]:
    return {record.run_id: record.status for record in store.runs()}


def num_instances(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        [(found,)] = connection.execute("SELECT count(*) FROM instances").fetchall()
        return int(found)


def test_a_process_taken_for_dead_takes_back_what_it_trains_and_nothing_that_it_ended(
    path: Path, wronged: RunStore, renewed: list[bool]
) -> None:
    renewed.append(True)
    wronged.interrupt_dead()
    assert statuses(wronged) == {"trains": RunStatus.RUNNING, "ended": RunStatus.INTERRUPTED}
    assert num_instances(path) == 1
    assert wronged.close()


def test_what_could_not_be_taken_back_at_first_is_taken_back_later(
    path: Path, wronged: RunStore, renewed: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_instance: Instance, _connection: sa.Connection, _at: float) -> None:
        raise StoreError("The database is away again.")

    renewed.append(True)
    with monkeypatch.context() as away:
        away.setattr(Instance, "take_back", fail)
        with pytest.raises(StoreError, match="away again"):
            wronged.interrupt_dead()
    assert statuses(wronged)["trains"] is RunStatus.INTERRUPTED
    wronged.interrupt_dead()
    assert statuses(wronged)["trains"] is RunStatus.RUNNING, "its locks are whole, but it is still wronged"
    assert num_instances(path) == 1
    assert wronged.close()
