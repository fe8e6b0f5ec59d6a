"""Runs that the end of their server stopped count as interrupted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Tell them apart from the runs that somebody stopped, as their histories do."""
    op.execute(
        sa.text(
            "UPDATE runs SET status = 'interrupted' WHERE status = 'stopped' AND id IN "
            "(SELECT run_id FROM events "
            "WHERE kind = 'RunStopped' AND json_extract(payload, '$.reason') = 'shutdown')"
        )
    )
