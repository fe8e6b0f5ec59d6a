"""Instances, runs, blocks of epochs, events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "instances",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("started_at", sa.Float, nullable=False),
    )
    op.create_table(
        "runs",
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
    )
    op.create_table(
        "blocks",
        sa.Column("run_id", sa.String, primary_key=True),
        sa.Column("first_epoch", sa.Integer, primary_key=True),
        sa.Column("num_epochs", sa.Integer, nullable=False),
        sa.Column("loss", sa.LargeBinary, nullable=False),
        sa.Column("slope", sa.LargeBinary, nullable=False),
        sa.Column("intercept", sa.LargeBinary, nullable=False),
        sa.Column("learning_rate", sa.LargeBinary, nullable=False),
        sa.Column("seconds", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.String, nullable=False, index=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
    )
