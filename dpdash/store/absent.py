"""A store that keeps nothing, where there is no database or none that can hold runs."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn, TypeVar

import sqlalchemy as sa

from dpdash.core.config import RunConfig
from dpdash.core.errors import StoreError
from dpdash.core.events import EpochBlock, RunEvent
from dpdash.core.history import History, Row
from dpdash.store.data_tables import DataTables
from dpdash.store.errors import NO_DATABASE, StoreHealth, unhealthy
from dpdash.store.plans import ExchangeTable, Locks, StudyTable, SweepTable
from dpdash.store.resuming import Resumption
from dpdash.store.rows import RunRecord
from dpdash.store.run_table import RunTable
from dpdash.store.store import RunStore
from dpdash.store.transfer import RunTransfer

T = TypeVar("T")


class AbsentStore:
    """A `RunStore` in which no run ever is: its health says why, and so does what its parts raise."""

    is_open: Final = False
    can_read: Final = False

    def __init__(self, problem: StoreError | None = None) -> None:
        self.health = unhealthy(problem or StoreError(NO_DATABASE))
        locks = Locks(self._refuse, lambda _name, for_good=False: None, self._refuse)
        self.studies = StudyTable(self._write, self._reading, locks)
        self.exchanges = ExchangeTable(self._write, self._reading, locks)
        self.sweeps = SweepTable(self._write, self._reading, locks)
        self.resumption = Resumption(self._write, self._reading, lambda: self._refuse(""), lambda _run_id: None)
        self.transfer = RunTransfer(self._write, self._reading, lambda: self._refuse(""))
        self.run_table = RunTable(self._write, self._reading)
        self.data_tables = DataTables(self._write, self._reading)

    def create_run(
        self, run_id: str, config: RunConfig, owner: str, created_at: float, sweep_id: str | None = None
    ) -> None: ...

    def append(self, run_id: str, event: RunEvent) -> None: ...

    def flush(self, timeout: float) -> bool:
        return True

    def health_of(self, run_id: str) -> StoreHealth:
        return self.health

    def runs(self, limit: int = 100) -> tuple[RunRecord, ...]:
        return ()

    def run(self, run_id: str) -> RunRecord | None:
        return None

    def host(self, run_id: str) -> str | None:
        return None

    def known(self, run_ids: Iterable[str]) -> frozenset[str]:
        return frozenset()

    def history(self, run_id: str) -> History | None:
        return None

    def row(self, run_id: str, epoch: int) -> Row | None:
        return None

    def rows(self, run_id: str) -> EpochBlock | None:
        return None

    def interrupt_dead(self) -> None: ...

    def close(self, timeout: float = 0.0) -> bool:
        return True

    def _refuse(self, _name: str) -> NoReturn:
        assert self.health.problem is not None
        raise self.health.problem.with_traceback(None)

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        self._refuse("")

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        self._refuse("")
        yield


Store = RunStore | AbsentStore


def open_store(url: str) -> Store:
    """The store that a URL names; one that keeps nothing where it names none that can hold runs."""
    try:
        return RunStore(url)
    except StoreError as problem:
        return AbsentStore(problem)
