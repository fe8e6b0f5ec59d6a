"""What may happen to a PostgreSQL server, and to who uses it: real servers, ended for real."""

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from dpdash.core.config import RunConfig
from dpdash.core.errors import StoreError
from dpdash.core.events import RunFinished, RunStarted, RunStatus
from dpdash.store import errors as problems
from dpdash.store import postgresql
from dpdash.store.store import RunStore
from dpdash.store.url import database_at
from tests.fakes import block_of, eventually
from tests.postgresql import Postgresql, running_postgresql

LONG = 20.0
STARTED = RunStarted(5.0, ("cpu",), (3,), emulated=False, one_device_step_seconds=0.25)


@pytest.fixture
def own_server() -> Iterator[Postgresql]:
    """A server that a test may end."""
    with running_postgresql() as server:
        yield server


def template_of(store: RunStore) -> str | None:
    problem = store.health.problem
    return problem.template if problem else None


def problem_at_opening(url: str) -> StoreError:
    store = RunStore(url)
    problem = store.health.problem
    assert problem is not None
    assert "secret" not in str(problem) and "tester" not in str(problem)
    store.close(timeout=0.1)
    return problem


def status_of(store: RunStore, run_id: str) -> RunStatus | None:
    record = store.run(run_id)
    return record.status if record else None


def test_a_server_that_is_started_anew_costs_nothing(own_server: Postgresql) -> None:
    url = own_server.new_database()
    first, second = RunStore(url), RunStore(url)
    first.create_run("run", RunConfig(), "ann", 1.0)
    first.append("run", STARTED)
    first.append("run", block_of(1, 10))
    assert first.flush(LONG)
    own_server.stop()
    first.append("run", block_of(11, 10))
    eventually(lambda: template_of(first) == problems.NOT_REACHED)
    with pytest.raises(StoreError):
        second.runs()
    own_server.start()
    # It has learned of the new server before the first: nobody holds the first one's lock.
    eventually(lambda: _looks(second) and status_of(second, "run") is RunStatus.INTERRUPTED)
    assert first.flush(LONG)
    assert first.health.ok
    assert status_of(second, "run") is RunStatus.RUNNING, "it was wronged, and said so"
    second.interrupt_dead()
    assert status_of(second, "run") is RunStatus.RUNNING
    first.append("run", RunFinished(20, 3.0, 0.0, 1.0))
    assert first.flush(LONG)
    rows = second.rows("run")
    assert rows is not None and len(rows) == 20
    assert status_of(second, "run") is RunStatus.FINISHED
    assert first.close() and second.close()


def _looks(store: RunStore) -> bool:
    try:
        store.interrupt_dead()
    except StoreError:
        return False
    return True


def test_a_session_that_died_is_not_asked_again(own_server: Postgresql) -> None:
    database = database_at(own_server.new_database())
    assert database.locks.hold("first")
    own_server.stop()
    own_server.start()
    with pytest.raises(sa.exc.DBAPIError):
        database.locks.hold("second")
    assert database.locks.hold("second")
    with database.engine.connect() as connection:
        assert database.locks.free(connection, ["first", "second"]) == ["first"]
    database.locks.let_go("second")
    database.locks.close()
    database.engine.dispose()


def test_a_server_that_comes_late_gets_everything(own_server: Postgresql) -> None:
    url = own_server.new_database()
    own_server.stop()
    store = RunStore(url)
    assert template_of(store) == problems.NOT_REACHED
    store.create_run("run", RunConfig(), "ann", 1.0)
    store.append("run", block_of(1, 10))
    own_server.start()
    assert store.flush(LONG)
    assert store.health.ok
    rows = store.rows("run")
    assert rows is not None and len(rows) == 10
    assert store.close()


def test_who_is_not_let_in_is_told_without_a_secret(postgresql: Postgresql) -> None:
    assert problem_at_opening(postgresql.url("postgres", password="secret")).template == problems.NOT_REACHED
    assert problem_at_opening(postgresql.url("nowhere")).template == problems.NOT_REACHED


def test_who_may_only_read_is_told(postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    assert RunStore(url).close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {url.rsplit('/', 1)[-1]} SET default_transaction_read_only = on")
    assert problem_at_opening(url).template == problems.NOT_ALLOWED


def test_the_database_of_another_program_is_left_alone(postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE others (id integer)")
    assert problem_at_opening(url).template == problems.FOREIGN


def test_a_newer_schema_is_left_alone(postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    assert RunStore(url).close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert problem_at_opening(url).template == problems.NEWER


def test_who_is_locked_out_goes_on_later(postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    store = RunStore(url)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE")
        store.create_run("run", RunConfig(), "ann", 1.0)
        eventually(lambda: template_of(store) == problems.LOCKED_THERE)
    assert store.flush(LONG)
    assert store.health.ok and store.run("run") is not None
    assert store.close()


def test_numbers_that_json_does_not_have_come_back(postgresql: Postgresql) -> None:
    store = RunStore(postgresql.new_database())
    store.create_run("run", RunConfig(), "ann", 1.0)
    store.append("run", RunStarted(5.0, ("cpu",), (3,), emulated=False, one_device_step_seconds=float("inf")))
    assert store.flush(LONG)
    history = store.history("run")
    assert history is not None
    started = history.snapshot().started
    assert started is not None and started.one_device_step_seconds == float("inf")
    assert store.close()


def test_without_the_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "DRIVER", "no_such_driver")
    with pytest.raises(StoreError, match="needs no_such_driver, which is not installed") as raised:
        RunStore("postgresql://me:secret@host/db")
    assert "secret" not in str(raised.value)
