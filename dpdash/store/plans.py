"""Where the store keeps studies and sweeps: each whole in a row of its own."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel, TypeAdapter

from dpdash.core.errors import StoreError
from dpdash.core.scaling.exchange_study import ExchangePlan, ExchangeStudy
from dpdash.core.scaling.plan import StudyPlan
from dpdash.core.scaling.study import AnyStudy, Study
from dpdash.core.sweep import Sweep, SweepPlan, SweepStatus
from dpdash.store.access import Reading, Write
from dpdash.store.schema import exchanges, studies, sweeps

T = TypeVar("T")
P = TypeVar("P", bound=BaseModel)
S = TypeVar("S", bound=AnyStudy)

_STUDY: Final = TypeAdapter(Study)
_EXCHANGE: Final = TypeAdapter(ExchangeStudy)
_SWEEP: Final = TypeAdapter(Sweep)


@dataclass(frozen=True, slots=True)
class Head(Generic[P]):
    """What a list shows of a study or a sweep: nothing of what came of it."""

    value_id: str
    owner: str
    created_at: float
    """Unix time in seconds."""
    plan: P


@dataclass(frozen=True, slots=True)
class Locks:
    """Which process goes on with what; each raises `StoreError` when the database cannot be used."""

    hold: Callable[[str], bool]
    """See `ProcessLocks.hold`."""
    let_go: Callable[..., None]
    """See `ProcessLocks.let_go`."""
    is_held: Callable[[str], bool]
    """Whether a process has a lock."""


class PlanTable(ABC, Generic[T, P]):
    """Values in the database; each method raises `StoreError` when it cannot be used."""

    def __init__(
        self,
        write: Write,
        reading: Reading,
        column: sa.Column[Any],
        adapter: TypeAdapter[T],
        plan_model: type[P],
        locks: Locks,
    ) -> None:
        """`column` holds a value whole."""
        self._write = write
        self._reading = reading
        self._table = column.table
        self._column = column
        self._adapter = adapter
        self._plan_model = plan_model
        self._locks = locks

    def take(self, value_id: str) -> bool:
        """Be the process that goes on with it, until it is let go of or ends; False where another one is."""
        return self._locks.hold(self._lock_of(value_id))

    def let_go(self, value_id: str, *, for_good: bool) -> None:
        """Leave it to other processes; `for_good` where there is nothing to go on with."""
        self._locks.let_go(self._lock_of(value_id), for_good=for_good)

    def is_held(self, value_id: str) -> bool:
        """Whether a process goes on with it."""
        return self._locks.is_held(self._lock_of(value_id))

    def _lock_of(self, value_id: str) -> str:
        return f"{self._column.name}-{value_id}"

    def heads(self, limit: int) -> tuple[Head[P], ...]:
        """The latest values of every process, the newest first; nothing of what came of them is read."""
        table, column = self._table, self._column
        columns = (table.c.id, column["owner"].as_string(), table.c.created_at, column["plan"])
        newest_first = sa.select(*columns).order_by(table.c.number.desc()).limit(limit)
        with self._reading() as connection:
            return tuple(
                Head(value_id, owner, created_at, self._plan_model.model_validate(plan))
                for value_id, owner, created_at, plan in connection.execute(newest_first)
            )

    def get(self, value_id: str) -> T | None:
        """One value, or None when there is none with this id."""
        found = self._found(sa.select(self._column).where(self._table.c.id == value_id))
        return found[0] if found else None

    @abstractmethod
    def head(self, value: T) -> Head[P]:
        """What a list shows of a value."""

    @abstractmethod
    def put(self, value: T) -> None:
        """Save a value as it is now; it waits for the disk."""

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


class MeasuredTable(PlanTable[S, P]):
    """Studies of one kind, and which process measures each."""

    def head(self, study: S) -> Head[P]:
        plan = study.plan
        assert isinstance(plan, self._plan_model)
        return Head(study.study_id, study.owner, study.created_at, plan)

    def put(self, study: S) -> None:
        """Save a study as it is now; it waits for the disk. Until it is over, this process measures it."""
        if not study.status.is_over:
            self.take(study.study_id)
        self._put(study.study_id, study, created_at=study.created_at)
        if study.status.is_over:
            self.let_go(study.study_id, for_good=True)


class StudyTable(MeasuredTable[Study, StudyPlan]):
    """Studies of how training scales."""

    def __init__(self, write: Write, reading: Reading, locks: Locks) -> None:
        super().__init__(write, reading, studies.c.study, _STUDY, StudyPlan, locks)


class ExchangeTable(MeasuredTable[ExchangeStudy, ExchangePlan]):
    """Studies of what an exchange costs."""

    def __init__(self, write: Write, reading: Reading, locks: Locks) -> None:
        super().__init__(write, reading, exchanges.c.exchange, _EXCHANGE, ExchangePlan, locks)


class SweepTable(PlanTable[Sweep, SweepPlan]):
    """Sweeps, and which process goes on with each."""

    def __init__(self, write: Write, reading: Reading, locks: Locks) -> None:
        super().__init__(write, reading, sweeps.c.sweep, _SWEEP, SweepPlan, locks)

    def head(self, sweep: Sweep) -> Head[SweepPlan]:
        return Head(sweep.sweep_id, sweep.owner, sweep.created_at, sweep.plan)

    def put(self, sweep: Sweep) -> None:
        """Save a sweep as it is now; it waits for the disk."""
        self._put(sweep.sweep_id, sweep, owner=sweep.owner, created_at=sweep.created_at)

    def searching(self) -> tuple[Sweep, ...]:
        """Those that are not over, the oldest first, whichever process goes on with them."""
        is_searching = self._column["status"].as_string() == SweepStatus.SEARCHING.value
        return self._found(sa.select(self._column).where(is_searching).order_by(self._table.c.number))


class Keeper(Generic[T, P]):
    """What a service keeps in a table as it changes, and why the latest change could not be saved."""

    def __init__(self, table: PlanTable[T, P]) -> None:
        self._table = table
        self.problem: StoreError | None = None
        """None where it was saved."""

    def keep(self, value: T) -> None:
        """Save a value as it is now, or remember why not."""
        try:
            self._table.put(value)
            self.problem = None
        except StoreError as problem:
            self.problem = problem

    def get(self, value_id: str) -> T | None:
        """A value that is kept; None when there is none with this id, or the database cannot be read."""
        with suppress(StoreError):
            return self._table.get(value_id)
        return None

    def latest(self, here: Iterable[T], limit: int) -> tuple[Head[P], ...]:
        """What is kept and what this process has in memory, the newest first.

        The latter alone when the database cannot be read.
        """
        kept: tuple[Head[P], ...] = ()
        with suppress(StoreError):
            kept = self._table.heads(limit)
        # Another process that shares the database may have begun one later than this process's.
        both = {head.value_id: head for head in (*kept, *map(self._table.head, here))}
        return tuple(sorted(both.values(), key=lambda head: head.created_at, reverse=True))[:limit]
