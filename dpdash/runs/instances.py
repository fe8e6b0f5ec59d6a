"""Which process trains which runs, so that several can share a database.

Every open store is an instance: a row in the database and a file that stays locked for as long as the process
lives. The operating system lets go of the lock however the process ends, so a lock that can be taken means
that its runs will not go on.
"""

import secrets
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from dpdash.events import RunStatus
from dpdash.runs.schema import instances, runs

NOT_OVER = tuple(status.value for status in RunStatus if not status.is_over)


class Instance:
    """This process's entry, and its view of the others'."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.id = secrets.token_hex(8)
        self._folder = folder
        # The lock comes before the row: a row whose file is free would be taken for a dead process.
        self._lock = FileLock(self._lock_path(self.id), thread_local=False)
        self._lock.acquire(timeout=0)

    def register(self, connection: sa.Connection, started_at: float) -> None:
        connection.execute(sa.insert(instances).values(id=self.id, started_at=started_at))

    def leave(self, connection: sa.Connection) -> None:
        """End this instance; runs of it that are not over, because their thread hangs, count as interrupted."""
        _interrupt(connection, [self.id])

    def release(self) -> None:
        self._lock.release()
        self._lock_path(self.id).unlink(missing_ok=True)

    def dead(self, connection: sa.Connection) -> list[str]:
        """Ids of the instances whose process is gone."""
        others = connection.scalars(sa.select(instances.c.id).where(instances.c.id != self.id)).all()
        return [other for other in others if self._is_dead(other)]

    def interrupt(self, connection: sa.Connection, dead: list[str]) -> None:
        """Mark the runs of dead instances as interrupted, and forget those instances."""
        _interrupt(connection, dead)
        for instance_id in dead:
            self._lock_path(instance_id).unlink(missing_ok=True)

    def _is_dead(self, instance_id: str) -> bool:
        lock = FileLock(self._lock_path(instance_id))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        lock.release()
        return True

    def _lock_path(self, instance_id: str) -> Path:
        return self._folder / f"{instance_id}.lock"


def _interrupt(connection: sa.Connection, ids: list[str]) -> None:
    connection.execute(
        sa.update(runs)
        .where(runs.c.instance_id.in_(ids), runs.c.status.in_(NOT_OVER))
        .values(status=RunStatus.INTERRUPTED.value)
    )
    connection.execute(sa.delete(instances).where(instances.c.id.in_(ids)))
