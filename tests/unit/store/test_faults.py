"""A database that cannot be used: each fault made for real."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from dpdash.core.config import RunConfig
from dpdash.core.errors import StoreError
from dpdash.store import errors as problems
from dpdash.store import schema
from dpdash.store.sqlite import SqliteDatabase
from dpdash.store.store import RunStore
from tests.fakes import block_of, eventually
from tests.faults.mounts import MOUNT, needs_mount

LONG = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def open_store(path: Path, **options: int) -> RunStore:
    return RunStore(f"sqlite:///{path}", **options)


def problem_at_opening(url: str) -> str:
    store = RunStore(url)
    problem = store.health.problem
    assert problem is not None
    assert "DPDASH_DATABASE_URL" in str(problem), "no way out"
    with pytest.raises(StoreError) as raised:
        store.runs()
    assert str(raised.value) == str(problem)
    assert store.close(), "there was nothing to save"
    return problem.template


def template_of(store: RunStore) -> str | None:
    problem = store.health.problem
    return problem.template if problem else None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://me:secret@host/db",
        "postgresql://me:secret@host",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_a_url_that_names_no_file_says_so(url: str) -> None:
    with pytest.raises(StoreError, match="must name an SQLite file") as raised:
        RunStore(url)
    assert "secret" not in str(raised.value)


def test_junk_says_so_and_stays_as_it_is(path: Path) -> None:
    path.write_bytes(b"This is a letter, not a database. " * 200)
    assert problem_at_opening(f"sqlite:///{path}") == problems.CORRUPT
    assert path.read_bytes().startswith(b"This is a letter")


def test_a_torn_database_says_so(path: Path) -> None:
    assert open_store(path).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 2000)
    assert problem_at_opening(f"sqlite:///{path}") == problems.CORRUPT


def test_a_newer_schema_says_so(path: Path) -> None:
    assert open_store(path).close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert problem_at_opening(f"sqlite:///{path}") == problems.NEWER


def test_another_programs_database_is_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE holidays (day TEXT)")
    connection.close()
    assert problem_at_opening(f"sqlite:///{path}") == problems.FOREIGN


def test_a_folder_in_place_of_the_file_says_so(path: Path) -> None:
    path.mkdir()
    assert problem_at_opening(f"sqlite:///{path}") == problems.NO_FILE


def test_a_file_in_place_of_the_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    assert problem_at_opening(f"sqlite:///{tmp_path / 'data' / 'runs.db'}") == problems.NO_FILE


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    store = open_store(tmp_path / "some" / "where" / "runs.db")
    assert store.health.ok
    assert store.close()


def test_a_database_that_is_locked_at_the_start_says_so(path: Path) -> None:
    assert open_store(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert problem_at_opening(f"sqlite:///{path}") == problems.LOCKED
    other.close()


def test_a_database_that_opens_late_has_every_run_whole(path: Path) -> None:
    assert open_store(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store = open_store(path)
    store.create_run("run", RunConfig(), "ann", 1.0)
    store.append("run", block_of(1, 10))
    assert template_of(store) == problems.LOCKED
    assert not store.flush(0.1)
    other.close()
    store.append("run", block_of(11, 10))
    assert store.flush(LONG)
    assert store.health.ok
    rows = store.rows("run")
    assert rows is not None and len(rows) == 20
    assert store.close()


def test_a_database_that_opens_late_is_found_even_when_nothing_trains(path: Path) -> None:
    path.write_bytes(b"This is a letter, not a database. " * 200)
    store = open_store(path)
    with pytest.raises(StoreError):
        store.interrupt_dead()
    problem = store.health.problem
    with pytest.raises(StoreError):
        store.interrupt_dead()
    assert store.health.problem is problem, "pages show a problem again when it is another object"
    path.rename(path.with_name("letter.txt"))
    store.interrupt_dead()
    assert store.health.ok
    assert store.runs() == ()
    assert store.close()


def test_nothing_is_lost_while_the_database_is_locked(path: Path) -> None:
    store = open_store(path)
    store.create_run("run", RunConfig(), "ann", 1.0)
    store.append("run", block_of(1, 100))
    assert store.flush(LONG)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store.append("run", block_of(101, 100))
    eventually(lambda: template_of(store) == problems.LOCKED)
    assert template_of(store) == problems.LOCKED
    assert not store.health_of("run").ok
    assert store.row("run", 50) is not None, "what is committed can be read meanwhile"
    store.append("run", block_of(201, 100))
    other.execute("ROLLBACK")
    other.close()
    assert store.flush(LONG)
    assert store.health.ok
    rows = store.rows("run")
    assert rows is not None
    assert len(rows) == 300
    assert store.close()


def test_a_run_that_no_longer_fits_is_cut_and_says_so(path: Path) -> None:
    store = open_store(path, max_pending_bytes=20_000)
    for run_id in ("long", "short"):
        store.create_run(run_id, RunConfig(), "ann", 1.0)
    assert store.flush(LONG)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for first_epoch in range(1, 2001, 100):
        store.append("long", block_of(first_epoch, 100))
    other.execute("ROLLBACK")
    other.close()
    store.append("short", block_of(1, 10))
    assert store.flush(LONG)
    store.append("long", block_of(2001, 100))
    assert store.flush(LONG)
    record, history, other_run = store.run("long"), store.history("long"), store.run("short")
    assert record is not None and history is not None and other_run is not None
    assert not record.is_complete
    assert 0 < history.snapshot().num_epochs < 2000
    problem = store.health_of("long").problem
    assert problem is not None
    assert problem.values["num_epochs"] == history.snapshot().num_epochs
    assert other_run.is_complete
    assert store.health_of("short").ok
    assert store.health.ok
    assert store.close()


def test_a_database_that_was_moved_away_says_so(path: Path) -> None:
    store = open_store(path)
    store.create_run("run", RunConfig(), "ann", 1.0)
    assert store.flush(LONG)
    path.rename(path.with_name("away.db"))
    store.append("run", block_of(1, 10))
    eventually(lambda: template_of(store) == problems.MOVED)
    with pytest.raises(StoreError):
        store.runs()
    assert not path.exists(), "an empty one was made in its place"
    path.with_name("away.db").rename(path)
    assert store.flush(LONG)
    assert [record.run_id for record in store.runs()] == ["run"]
    assert store.health.ok
    assert store.close()


def test_the_newest_migration_is_the_one_that_needs_no_alembic() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.REVISION


def test_migrations_make_exactly_the_tables(path: Path) -> None:
    assert open_store(path).close()
    engine = SqliteDatabase(path).engine
    found = sa.inspect(engine)
    for table in schema.metadata.sorted_tables:
        columns = {
            (column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(table.name)
        }
        assert columns == {(column.name, str(column.type), bool(column.nullable)) for column in table.columns}
        assert {index["name"] for index in found.get_indexes(table.name)} == {
            index.name for index in table.indexes
        }
    engine.dispose()


SMALL_FILES = """
import resource, signal, sys
from dpdash.core.config import RunConfig
from dpdash.store import errors as problems
from dpdash.store.store import RunStore
from tests.fakes import block_of, eventually

store = RunStore(sys.argv[1])
store.create_run("run", RunConfig(), "ann", 1.0)
assert store.flush(20)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
store.append("run", block_of(1, 20_000))
eventually(lambda: not store.health.ok)
assert store.health.problem.template == problems.UNWRITABLE, store.health
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert store.flush(20)
assert store.health.ok and len(store.rows("run")) == 20_000
assert store.close()
"""


def test_a_write_that_the_system_refuses_is_tried_until_it_works(path: Path) -> None:
    subprocess.run([sys.executable, "-c", SMALL_FILES, f"sqlite:///{path}"], check=True)


FULL_DISK = """
import subprocess, sys
from dpdash.core.config import RunConfig
from dpdash.store import errors as problems
from dpdash.store.store import RunStore
from tests.fakes import block_of, eventually

folder = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
store = RunStore(f"sqlite:///{folder}/runs.db")
store.create_run("run", RunConfig(), "ann", 1.0)
assert store.flush(20)
for first_epoch in range(1, 100_001, 1000):
    store.append("run", block_of(first_epoch, 1000))
eventually(lambda: not store.health.ok)
assert store.health.problem.template == problems.FULL, store.health
subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
assert store.flush(20)
assert store.health.ok and len(store.rows("run")) == 100_000
assert store.close()
"""

READ_ONLY_DISK = """
import shutil, sqlite3, subprocess, sys
from contextlib import closing
from pathlib import Path
from dpdash.core.config import RunConfig
from dpdash.core.errors import StoreError
from dpdash.store import errors as problems
from dpdash.store.query import Viewer
from dpdash.store.store import RunStore
from tests.fakes import block_of

folder = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
url = f"sqlite:///{folder}/runs.db"
store = RunStore(url)
store.create_run("run", RunConfig(), "ann", 1.0)
store.append("run", block_of(1, 5))
assert store.close()
shutil.copy(f"{folder}/runs.db", f"{folder}/old.db")
with closing(sqlite3.connect(f"{folder}/old.db")) as old:
    old.execute("UPDATE alembic_version SET version_num = '0004'")
    old.commit()
shutil.copy(f"{folder}/runs.db", f"{folder}/in_use.db")
Path(f"{folder}/in_use.db-wal").write_bytes(b"not in the file yet")
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
for name, problem in {
    "other/runs.db": problems.READ_ONLY,
    "old.db": problems.READ_ONLY_OLD,
    "in_use.db": problems.READ_ONLY_IN_USE,
}.items():
    store = RunStore(f"sqlite:///{folder}/{name}")
    assert store.health.problem.template == problem, store.health
    assert not store.can_read
    assert store.close()
store = RunStore(url)
assert store.health.problem.template == problems.READ_ONLY, store.health
assert store.can_read and not store.is_open
assert [run.run_id for run in store.runs()] == ["run"]
assert len(store.rows("run")) == 5
try:
    store.run_table.pin(["run"], Viewer("ann"), True)
    raise AssertionError("nothing can be written")
except StoreError as refused:
    assert refused.template == problems.READ_ONLY
store.create_run("new", RunConfig(), "ann", 2.0)
assert not store.flush(1)
assert [run.run_id for run in store.runs()] == ["run"], "it is read while the writer tries"
subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
assert store.flush(20) and store.health.ok
assert [run.run_id for run in store.runs()] == ["new", "run"]
assert store.close()
"""


@needs_mount
@pytest.mark.parametrize("script", [FULL_DISK, READ_ONLY_DISK], ids=["full", "read-only"])
def test_a_disk_that_takes_nothing_says_so(script: str, tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run([*MOUNT, sys.executable, "-c", script, str(folder)], check=True)


@pytest.mark.skipif(
    os.name == "posix" and os.geteuid() == 0, reason="needs a user whom permissions bind, not root"
)
def test_a_read_only_file_says_so(path: Path) -> None:
    assert open_store(path).close()
    path.chmod(0o444)
    assert problem_at_opening(f"sqlite:///{path}") == problems.READ_ONLY


def test_every_sentence_of_sqlite_has_its_own_words(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA max_page_count = 2")
    connection.execute("CREATE TABLE t (c)")
    with pytest.raises(sqlite3.OperationalError) as full:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.close()
    assert SqliteDatabase(path).sentence_for(full.value).template == problems.FULL
    assert SqliteDatabase(path).sentence_for(OSError(5, "odd")).template == problems.NO_FILE
    assert SqliteDatabase(path).sentence_for(PermissionError()).template == problems.READ_ONLY


def test_an_error_that_nobody_foresaw_is_told_too(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told = SqliteDatabase(path).sentence_for(ValueError("odd"))
    assert "ValueError: odd" in str(told)
    assert "Unexpected database error" in caplog.text
