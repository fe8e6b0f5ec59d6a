"""On which machine each process is that trains runs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Nothing is known of the processes that are there already."""
    op.add_column("instances", sa.Column("host", sa.String))
