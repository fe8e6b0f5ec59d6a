"""The tables, and how an SQLite file with exactly these tables is opened."""

import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.exc import ArgumentError

from dpdash.errors import StoreError
from dpdash.runs.problems import BAD_URL, FOREIGN, NEWER

REVISION: Final = "0004"
"""The newest script in `migrations/versions`; a database that has it is opened without loading Alembic."""
BUSY_SECONDS: Final = 1.0
"""Longest wait for another program's lock in one attempt; the writer then tries again with what came meanwhile."""
MIGRATION_WAIT_SECONDS: Final = 10.0
MOST_CONNECTIONS: Final = 15
"""At the same time; one more waits for one that is handed back."""

metadata = sa.MetaData()

instances = sa.Table(
    "instances",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("started_at", sa.Float, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("instance_id", sa.String, nullable=False),
    sa.Column("owner", sa.String, nullable=False),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("status", sa.String, nullable=False, index=True),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column("num_epochs", sa.Integer, nullable=False),
    sa.Column("loss", sa.Float),
    sa.Column("slope", sa.Float),
    sa.Column("intercept", sa.Float),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("message", sa.String),
    sa.Column("is_complete", sa.Boolean, nullable=False),
    sa.Column("name", sa.String),
    sa.Column("note", sa.String, nullable=False, server_default=""),
    sa.Column("tags", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("is_pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("is_imported", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("best_loss", sa.Float),
    sa.Column("deleted_at", sa.Float),
    sa.Column("sweep_id", sa.String, index=True),
)

blocks = sa.Table(
    "blocks",
    metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("first_epoch", sa.Integer, primary_key=True),
    sa.Column("num_epochs", sa.Integer, nullable=False),
    sa.Column("loss", sa.LargeBinary, nullable=False),
    sa.Column("slope", sa.LargeBinary, nullable=False),
    sa.Column("intercept", sa.LargeBinary, nullable=False),
    sa.Column("learning_rate", sa.LargeBinary, nullable=False),
    sa.Column("seconds", sa.LargeBinary, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.String, nullable=False, index=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
)

sweeps = sa.Table(
    "sweeps",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("owner", sa.String, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("sweep", sa.JSON, nullable=False),
)

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("study", sa.JSON, nullable=False),
)


def database_path(url: str) -> Path:
    """The file that a URL names.

    Raises:
        StoreError: when it names no SQLite file.
    """
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise StoreError(BAD_URL, received=url) from None
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise StoreError(BAD_URL, received=parsed.render_as_string(hide_password=True))
    return Path(str(parsed.database)).absolute()


def connect(path: Path) -> sa.Engine:
    """An engine whose transactions are SQLite's own; those with the option `immediate` lock at once."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
        # What a crowd's readers hand back is closed: three open files each, which nobody would need again.
        pool_size=1,
        max_overflow=MOST_CONNECTIONS - 1,
    )
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    # A power cut may cost the latest commits, never the database; a killed process costs nothing.
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def ensure_schema(engine: sa.Engine, path: Path, lock_folder: Path) -> None:
    """Bring the database to `REVISION`; quick when it is there already.

    Raises:
        StoreError: when a newer dpdash or another program wrote it.
    """
    if _revision(engine, path) == REVISION:
        return
    lock_folder.mkdir(parents=True, exist_ok=True)
    with FileLock(lock_folder / "migration.lock", timeout=MIGRATION_WAIT_SECONDS):
        if _revision(engine, path) != REVISION:
            _migrate(engine, path)


def _revision(engine: sa.Engine, path: Path) -> str | None:
    with engine.connect() as connection:
        tables = set(connection.scalars(sa.text("SELECT name FROM sqlite_master WHERE type = 'table'")))
        if "alembic_version" in tables:
            revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return revision
        if tables:
            raise StoreError(FOREIGN, path=path)
        return None


def _migrate(engine: sa.Engine, path: Path) -> None:
    # Importing Alembic takes longer than opening an existing database.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    _use_write_ahead_log(engine)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    current = _revision(engine, path)
    try:
        if current is not None:
            ScriptDirectory.from_config(config).get_revision(current)
    except CommandError:
        raise StoreError(NEWER, path=path, revision=current) from None
    with writing(engine).begin() as connection:
        attributes: dict[str, Any] = config.attributes
        attributes["connection"] = connection
        command.upgrade(config, REVISION)


def _use_write_ahead_log(engine: sa.Engine) -> None:
    # Outside a transaction, for inside one the journal mode cannot change; the file remembers it.
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def writing(engine: sa.Engine) -> sa.Engine:
    """The same engine with transactions that take the write lock when they begin."""
    return engine.execution_options(immediate=True)
