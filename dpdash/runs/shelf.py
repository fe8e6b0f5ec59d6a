"""Where the store keeps scaling studies: each whole in a row of its own."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Final

import sqlalchemy as sa
from pydantic import TypeAdapter

from dpdash.runs.schema import studies
from dpdash.study import Study, StudyPlan

_STUDY: Final = TypeAdapter(Study)
_PLAN: Final = TypeAdapter(StudyPlan)

Write = Callable[[Callable[[sa.Connection], None]], None]
Reading = Callable[[], AbstractContextManager[sa.Connection]]


@dataclass(frozen=True, slots=True)
class StudyHead:
    """What a list of studies shows of one."""

    study_id: str
    created_at: float
    """Unix time in seconds."""
    plan: StudyPlan


class StudyShelf:
    """Studies in the database; each method raises `StoreError` when it cannot be used."""

    def __init__(self, write: Write, reading: Reading) -> None:
        self._write = write
        self._reading = reading

    def put(self, study: Study) -> None:
        """Save a study as it is now; it waits for the disk."""
        row = {"id": study.study_id, "created_at": study.created_at, "study": asdict(study)}
        self._write(lambda connection: _put(connection, row))

    def heads(self, limit: int) -> tuple[StudyHead, ...]:
        """The latest studies of every process, the newest first; nothing of what was measured is read."""
        columns = (studies.c.id, studies.c.created_at, studies.c.study["plan"])
        newest_first = sa.select(*columns).order_by(studies.c.number.desc()).limit(limit)
        with self._reading() as connection:
            found = connection.execute(newest_first)
            return tuple(StudyHead(study_id, at, _PLAN.validate_python(plan)) for study_id, at, plan in found)

    def get(self, study_id: str) -> Study | None:
        """One study, or None when there is none with this id."""
        with self._reading() as connection:
            value = connection.scalar(sa.select(studies.c.study).where(studies.c.id == study_id))
        return None if value is None else _STUDY.validate_python(value)


def _put(connection: sa.Connection, row: dict[str, Any]) -> None:
    # Not OR REPLACE: that would give a study that goes on a new number, and so a new place in the list.
    changed = connection.execute(sa.update(studies).where(studies.c.id == row["id"]).values(study=row["study"]))
    if not changed.rowcount:
        connection.execute(sa.insert(studies).values(row))
