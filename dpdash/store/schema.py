"""The tables, and how a database comes to have exactly these."""

import math
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from dpdash.core.errors import StoreError
from dpdash.store.errors import FOREIGN, NEWER

REVISION: Final = "0007"
"""The newest script in `migrations/versions`; a database that has it is opened without loading Alembic."""

metadata = sa.MetaData()


class Number(sa.TypeDecorator[float]):
    """A float, or NULL where it is not a number: SQLite knows no other, and so each database keeps the same."""

    impl = sa.Float
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: sa.Dialect) -> float | None:
        return None if value is None or math.isnan(value) else value


instances = sa.Table(
    "instances",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("host", sa.String),
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
    sa.Column("loss", Number),
    sa.Column("slope", Number),
    sa.Column("intercept", Number),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("message", sa.String),
    sa.Column("is_complete", sa.Boolean, nullable=False),
    sa.Column("name", sa.String),
    sa.Column("note", sa.String, nullable=False, server_default=""),
    sa.Column("tags", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("is_pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("is_imported", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("best_loss", Number),
    sa.Column("deleted_at", sa.Float),
    sa.Column("sweep_id", sa.String, index=True),
    sa.Column("data_digest", sa.String, index=True),
)

data_tables = sa.Table(
    "data_tables",
    metadata,
    sa.Column("digest", sa.String, primary_key=True),
    sa.Column("used_at", sa.Float, nullable=False),
    sa.Column("packed", sa.LargeBinary, nullable=False),
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

exchanges = sa.Table(
    "exchanges",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("exchange", sa.JSON, nullable=False),
)


def revision(connection: sa.Connection, name: str) -> str | None:
    """The schema that a database has; None for one that is empty.

    Raises:
        StoreError: when it is another program's.
    """
    tables = sa.inspect(connection).get_table_names()
    if "alembic_version" in tables:
        found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return found
    if tables:
        raise StoreError(FOREIGN, path=name)
    return None


def migrate(connection: sa.Connection, name: str) -> None:
    """Bring a database to `REVISION`, in the transaction of this connection.

    Raises:
        StoreError: when a newer dpdash wrote it.
    """
    # Importing Alembic takes longer than opening an existing database.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    current = revision(connection, name)
    try:
        if current is not None:
            ScriptDirectory.from_config(config).get_revision(current)
    except CommandError:
        raise StoreError(NEWER, path=name, revision=current) from None
    attributes: dict[str, Any] = config.attributes
    attributes["connection"] = connection
    command.upgrade(config, REVISION)
