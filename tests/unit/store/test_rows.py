import sqlite3
from pathlib import Path

from dpdash.core.config import RunConfig
from dpdash.core.events import RunStatus, RunStopped, StopReason
from dpdash.store.rows import MAX_BLOCK_ROWS
from dpdash.store.store import RunStore
from tests.fakes import block_of

LONG = 20.0
KEPT = ("name", "note", "tags", "is_pinned", "is_imported", "best_loss", "deleted_at", "sweep_id")
"""Columns that later versions have added."""


def stored_blocks(path: Path) -> list[tuple[int, int]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT first_epoch, num_epochs FROM blocks ORDER BY first_epoch").fetchall()
    connection.close()
    return found


def test_blocks_that_came_together_are_one_row_that_is_not_too_long(tmp_path: Path) -> None:
    store = RunStore(f"sqlite:///{tmp_path / 'runs.db'}")
    store.create_run("run", RunConfig(), "ann", 1.0)
    for first_epoch in range(1, 3 * MAX_BLOCK_ROWS, 512):
        store.append("run", block_of(first_epoch, 512))
    assert store.flush(LONG)
    rows = stored_blocks(tmp_path / "runs.db")
    assert sum(num_epochs for _, num_epochs in rows) == 3 * MAX_BLOCK_ROWS
    assert max(num_epochs for _, num_epochs in rows) <= MAX_BLOCK_ROWS
    assert len(rows) < 3 * MAX_BLOCK_ROWS / 512
    assert store.close()


def test_blocks_with_a_gap_between_them_stay_apart(tmp_path: Path) -> None:
    store = RunStore(f"sqlite:///{tmp_path / 'runs.db'}")
    store.create_run("run", RunConfig(), "ann", 1.0)
    store.append("run", block_of(1, 5))
    store.append("run", late := block_of(11, 5))
    assert store.flush(LONG)
    assert stored_blocks(tmp_path / "runs.db") == [(1, 5), (11, 5)]
    row, history = store.row("run", 12), store.history("run")
    assert row is not None and history is not None
    assert row.loss == late.loss[1]
    assert store.row("run", 7) is None
    assert history.snapshot().num_epochs == 5, "a curve without a hole"
    assert store.close()


def test_an_older_databases_runs_that_a_shutdown_stopped_are_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = RunStore(f"sqlite:///{path}")
    rows = block_of(1, 3)
    for run_id, reason in (("ended", StopReason.SHUTDOWN), ("stopped", StopReason.ASKED)):
        store.create_run(run_id, RunConfig(), "ann", 1.0)
        store.append(run_id, rows)
        store.append(run_id, RunStopped(3, 1.0, 2.0, 0.5, reason))
    assert store.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        for table in ("studies", "exchanges", "checkpoints", "sweeps", "data_tables"):
            connection.execute(f"DROP TABLE {table}")
        for column in ("sweep_id", "data_digest"):
            connection.execute(f"DROP INDEX ix_runs_{column}")
        connection.execute("ALTER TABLE runs DROP COLUMN data_digest")
        for column in KEPT:
            connection.execute(f"ALTER TABLE runs DROP COLUMN {column}")
        connection.execute("ALTER TABLE instances DROP COLUMN host")
        connection.execute("UPDATE runs SET status = 'stopped'")
    connection.close()
    again = RunStore(f"sqlite:///{path}")
    for run_id, status in (("ended", RunStatus.INTERRUPTED), ("stopped", RunStatus.STOPPED)):
        record, history = again.run(run_id), again.history(run_id)
        assert record is not None and history is not None
        assert record.status is history.snapshot().status is status
        assert record.best_loss == float(rows.loss.min())
    assert again.close()
