"""What a person makes of a run (its name, note and tags), its best loss, where it can be resumed, and sweeps."""

import numpy as np
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns and the tables, and look the best loss of each stored run up."""
    for column in (
        sa.Column("name", sa.String),
        sa.Column("note", sa.String, nullable=False, server_default=""),
        sa.Column("tags", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("is_pinned", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("is_imported", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("best_loss", sa.Float),
        sa.Column("deleted_at", sa.Float),
        sa.Column("sweep_id", sa.String),
    ):
        op.add_column("runs", column)
    op.create_index("ix_runs_sweep_id", "runs", ["sweep_id"])
    op.create_table(
        "checkpoints",
        sa.Column("run_id", sa.String, primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "sweeps",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("sweep", sa.JSON, nullable=False),
    )
    _look_best_losses_up(op.get_bind())


def _look_best_losses_up(connection: sa.Connection) -> None:
    best: dict[str, float] = {}
    stored = connection.execute(sa.text("SELECT run_id, num_epochs, loss FROM blocks"))
    for run_id, num_epochs, loss in stored:
        values = np.frombuffer(loss, dtype=f"<f{len(loss) // num_epochs}")
        best[run_id] = min(best.get(run_id, float("inf")), float(values.min()))
    if best:
        connection.execute(
            sa.text("UPDATE runs SET best_loss = :best WHERE id = :id"),
            [{"id": run_id, "best": value} for run_id, value in best.items()],
        )
