"""Where the store keeps scaling studies: each whole in a row of its own."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any, Final

import sqlalchemy as sa
from pydantic import TypeAdapter

from dpdash.runs.schema import studies
from dpdash.study import Study

_ADAPTER: Final = TypeAdapter(Study)

Write = Callable[[Callable[[sa.Connection], None]], None]
Reading = Callable[[], AbstractContextManager[sa.Connection]]


class StudyShelf:
    """Studies in the database; each method raises `StoreError` when it cannot be used."""

    def __init__(self, write: Write, reading: Reading) -> None:
        self._write = write
        self._reading = reading

    def put(self, study: Study) -> None:
        """Save a study as it is now; it waits for the disk."""
        row = {"id": study.study_id, "created_at": study.created_at, "study": asdict(study)}
        self._write(lambda connection: _put(connection, row))

    def newest(self, limit: int) -> tuple[Study, ...]:
        """The latest studies of every process, the newest first."""
        newest_first = sa.select(studies.c.study).order_by(studies.c.number.desc()).limit(limit)
        with self._reading() as connection:
            return tuple(_ADAPTER.validate_python(value) for value in connection.scalars(newest_first))

    def get(self, study_id: str) -> Study | None:
        """One study, or None when there is none with this id."""
        with self._reading() as connection:
            value = connection.scalar(sa.select(studies.c.study).where(studies.c.id == study_id))
        return None if value is None else _ADAPTER.validate_python(value)


def _put(connection: sa.Connection, row: dict[str, Any]) -> None:
    # Not OR REPLACE: that would give a study that goes on a new number, and so a new place in the list.
    changed = connection.execute(sa.update(studies).where(studies.c.id == row["id"]).values(study=row["study"]))
    if not changed.rowcount:
        connection.execute(sa.insert(studies).values(row))
