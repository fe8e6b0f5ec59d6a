"""Own data of a service: kept for its runs, found again after a restart, and let go of with the last of them."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dpdash.core.config import RunConfig
from dpdash.core.events import RunStatus
from dpdash.core.own_data import OwnDataError, Table
from dpdash.core.settings import ServerSettings
from dpdash.problem import tables
from dpdash.runs.library import UNDO_SECONDS
from dpdash.runs.service import Pace, RunService
from dpdash.store.absent import AbsentStore
from dpdash.store.store import RunStore

TABLE = Table(np.linspace(0, 1, 20), np.linspace(5, 6, 20) ** 2)
CONFIG = RunConfig(epochs=5).on(TABLE.reference("own.csv", is_standardised=True))
LONG = 30.0


@pytest.fixture(autouse=True)
def nothing_at_hand() -> Iterator[None]:
    """As after a restart."""
    tables._kept.clear()
    yield
    tables._kept.clear()


def opened(folder: Path) -> RunService:
    return RunService.open(ServerSettings(database_url=f"sqlite:///{folder / 'runs.db'}"))


def trained(service: RunService, config: RunConfig = CONFIG) -> RunStatus:
    run_id = service.start(config, "ann", Pace.full_speed())
    assert service.runs.wait(run_id, LONG)
    return service.runs.snapshot(run_id).status


def test_after_a_restart_a_run_is_trained_again_on_the_same_data(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.own_tables.take(TABLE)
    assert trained(first) is RunStatus.FINISHED
    first.shutdown()
    tables._kept.clear()
    with pytest.raises(OwnDataError):
        tables.of(CONFIG)
    second = opened(tmp_path)
    assert trained(second) is RunStatus.FINISHED
    second.shutdown()


def test_without_a_database_they_are_at_hand() -> None:
    service = RunService(ServerSettings(), AbsentStore())
    service.own_tables.take(TABLE)
    assert trained(service) is RunStatus.FINISHED
    service.shutdown()


def test_they_go_with_the_runs_that_nobody_wants_any_more(tmp_path: Path) -> None:
    store = RunStore(f"sqlite:///{tmp_path / 'runs.db'}")
    now = [0.0]
    began = time.time()
    service = RunService(ServerSettings(), store, clock=lambda: began + now[0], steady_clock=lambda: now[0])
    service.own_tables.take(TABLE)
    service.library.tidy()
    assert store.data_tables.find(TABLE.digest) is not None, "somebody is about to train on them"
    now[0] = UNDO_SECONDS + 60
    service.library.tidy()
    assert store.data_tables.find(TABLE.digest) is None
    service.shutdown()


def test_the_oldest_make_room_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_ROWS_KEPT", 45)
    many = [Table(TABLE.x, TABLE.y + number) for number in range(4)]
    for table in many:
        tables.keep(table)
    assert list(tables._kept) == [table.digest for table in many[-2:]]
