"""Runs that the end of their server stopped count as interrupted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Tell them apart from the runs that somebody stopped, as their histories do."""
    runs = sa.table("runs", sa.column("id"), sa.column("status"))
    events = sa.table("events", sa.column("run_id"), sa.column("kind"), sa.column("payload", sa.JSON))
    shut_down = sa.select(events.c.run_id).where(
        events.c.kind == "RunStopped", events.c.payload["reason"].as_string() == "shutdown"
    )
    op.execute(
        sa.update(runs).where(runs.c.status == "stopped", runs.c.id.in_(shut_down)).values(status="interrupted")
    )
