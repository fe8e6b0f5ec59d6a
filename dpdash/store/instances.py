"""Which process trains which runs, so that several can share a database.

Every open store is an instance: a row in the database and a lock that is held for as long as the process lives.
It is free again however the process ends, so a lock that nobody holds means that its runs will not go on.
"""

import secrets
import socket

import sqlalchemy as sa

from dpdash.core.events import RunStatus
from dpdash.store.database import ProcessLocks
from dpdash.store.schema import instances, runs

NOT_OVER = tuple(status.value for status in RunStatus if not status.is_over)


class Instance:
    """This process's entry, and its view of the others'."""

    def __init__(self, locks: ProcessLocks) -> None:
        self.id = secrets.token_hex(8)
        self._locks = locks
        # The lock comes before the row: a row whose lock is free would be taken for a dead process.
        is_held = locks.hold(self.id)
        assert is_held, "nobody else knows of this id yet"

    def register(self, connection: sa.Connection, started_at: float) -> None:
        connection.execute(
            sa.insert(instances).values(id=self.id, started_at=started_at, host=socket.gethostname())
        )

    def take_back(self, connection: sa.Connection, at: float) -> None:
        """Undo what another process did that took this one for dead: its runs go on."""
        is_here = connection.scalar(sa.select(instances.c.id).where(instances.c.id == self.id)) is not None
        if not is_here:
            self.register(connection, at)
        # What this process itself ended has its time.
        wronged = (
            runs.c.instance_id == self.id,
            runs.c.status == RunStatus.INTERRUPTED.value,
            runs.c.ended_at.is_(None),
        )
        connection.execute(sa.update(runs).where(*wronged).values(status=RunStatus.RUNNING.value))

    def leave(self, connection: sa.Connection) -> None:
        """End this instance; runs of it that are not over, because their thread hangs, count as interrupted."""
        _interrupt(connection, [self.id])

    def release(self) -> None:
        self._locks.let_go(self.id, for_good=True)

    def dead(self, connection: sa.Connection) -> list[str]:
        """Ids of the instances whose process is gone."""
        others = connection.scalars(sa.select(instances.c.id).where(instances.c.id != self.id)).all()
        return self._locks.free(connection, others)

    def interrupt(self, connection: sa.Connection, dead: list[str]) -> None:
        """Mark the runs of dead instances as interrupted, and forget those instances."""
        _interrupt(connection, dead)
        self._locks.forget(dead)


def _interrupt(connection: sa.Connection, ids: list[str]) -> None:
    connection.execute(
        sa.update(runs)
        .where(runs.c.instance_id.in_(ids), runs.c.status.in_(NOT_OVER))
        .values(status=RunStatus.INTERRUPTED.value)
    )
    connection.execute(sa.delete(instances).where(instances.c.id.in_(ids)))
