"""What exchanges cost."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """A table beside the one of scaling studies, which it resembles."""
    op.create_table(
        "exchanges",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("exchange", sa.JSON, nullable=False),
    )
