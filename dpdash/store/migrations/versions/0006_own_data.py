"""Tables of x and y that people have brought, and which run was trained on which."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Every run that is there was trained on data that were drawn."""
    op.add_column("runs", sa.Column("data_digest", sa.String))
    op.create_index("ix_runs_data_digest", "runs", ["data_digest"])
    op.create_table(
        "data_tables",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("used_at", sa.Float, nullable=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
    )
