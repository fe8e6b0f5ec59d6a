"""Where the store keeps studies and sweeps: each whole in a row of its own."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa
from pydantic import TypeAdapter

from dpdash.runs.schema import studies, sweeps
from dpdash.study import Study, StudyPlan
from dpdash.sweep import Sweep, SweepStatus

T = TypeVar("T")

_PLAN: Final = TypeAdapter(StudyPlan)
_STUDY: Final = TypeAdapter(Study)
_SWEEP: Final = TypeAdapter(Sweep)

Write = Callable[[Callable[[sa.Connection], None]], None]
Reading = Callable[[], AbstractContextManager[sa.Connection]]


@dataclass(frozen=True, slots=True)
class StudyHead:
    """What a list of studies shows of one."""

    study_id: str
    created_at: float
    """Unix time in seconds."""
    plan: StudyPlan


class Shelf(Generic[T]):
    """Values in the database; each method raises `StoreError` when it cannot be used."""

    def __init__(
        self, write: Write, reading: Reading, table: sa.Table, column: sa.Column[Any], adapter: TypeAdapter[T]
    ) -> None:
        """`column` of the `table` holds a value whole."""
        self._write = write
        self._reading = reading
        self._table = table
        self._column = column
        self._adapter = adapter

    def newest(self, limit: int) -> tuple[T, ...]:
        """The latest values of every process, the newest first."""
        return self._found(sa.select(self._column).order_by(self._table.c.number.desc()).limit(limit))

    def get(self, value_id: str) -> T | None:
        """One value, or None when there is none with this id."""
        found = self._found(sa.select(self._column).where(self._table.c.id == value_id))
        return found[0] if found else None

    def _found(self, wanted: sa.Select[Any]) -> tuple[T, ...]:
        with self._reading() as connection:
            return tuple(self._adapter.validate_python(value) for value in connection.scalars(wanted))

    def _put(self, value_id: str, value: T, **others: object) -> None:
        whole = {self._column.name: self._adapter.dump_python(value, mode="json")}

        def write(connection: sa.Connection) -> None:
            # Not OR REPLACE: that would give a value that changes a new number, and so a new place in the list.
            changed = connection.execute(sa.update(self._table).where(self._table.c.id == value_id).values(whole))
            if not changed.rowcount:
                connection.execute(sa.insert(self._table).values(id=value_id, **others, **whole))

        self._write(write)


class StudyShelf(Shelf[Study]):
    """Scaling studies."""

    def __init__(self, write: Write, reading: Reading) -> None:
        super().__init__(write, reading, studies, studies.c.study, _STUDY)

    def put(self, study: Study) -> None:
        """Save a study as it is now; it waits for the disk."""
        self._put(study.study_id, study, created_at=study.created_at)

    def heads(self, limit: int) -> tuple[StudyHead, ...]:
        """The latest studies of every process, the newest first; nothing of what was measured is read."""
        columns = (studies.c.id, studies.c.created_at, studies.c.study["plan"])
        newest_first = sa.select(*columns).order_by(studies.c.number.desc()).limit(limit)
        with self._reading() as connection:
            found = connection.execute(newest_first)
            return tuple(StudyHead(study_id, at, _PLAN.validate_python(plan)) for study_id, at, plan in found)


class SweepShelf(Shelf[Sweep]):
    """Sweeps."""

    def __init__(self, write: Write, reading: Reading) -> None:
        super().__init__(write, reading, sweeps, sweeps.c.sweep, _SWEEP)

    def put(self, sweep: Sweep) -> None:
        """Save a sweep as it is now; it waits for the disk."""
        self._put(sweep.sweep_id, sweep, owner=sweep.owner, created_at=sweep.created_at)

    def searching(self) -> tuple[Sweep, ...]:
        """Those that are not over, the oldest first, whichever process goes on with them."""
        is_searching = self._column["status"].as_string() == SweepStatus.SEARCHING.value
        return self._found(sa.select(self._column).where(is_searching).order_by(self._table.c.number))
