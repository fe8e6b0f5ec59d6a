"""A service with a fake engine and a fake clock."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from dpdash.core.settings import ServerSettings
from dpdash.runs.service import RunService
from dpdash.store.absent import AbsentStore
from dpdash.store.store import RunStore
from dpdash.training.engine import Engine
from tests.fakes import FakeClock, FakeEngine


class MakeService(Protocol):
    """Makes a service on the test's database, with the test's fake engine unless another one is given."""

    def __call__(
        self, *, slots: int = 1, paced: int = 2, saved: bool = True, engine: Engine | None = None, **settings: Any
    ) -> RunService: ...


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_service(engine: FakeEngine, clock: FakeClock, tmp_path: Path) -> Iterator[MakeService]:
    services: list[RunService] = []
    usual = engine

    def make(
        *, slots: int = 1, paced: int = 2, saved: bool = True, engine: Engine | None = None, **settings: Any
    ) -> RunService:
        url = f"sqlite:///{tmp_path / 'runs.db'}"
        chosen = ServerSettings(database_url=url, full_speed_slots=slots, paced_slots=paced, **settings)
        store = RunStore(url) if saved else AbsentStore()
        services.append(RunService(chosen, store, find_engine=lambda _: engine or usual, steady_clock=clock))
        return services[-1]

    yield make
    for service in services:
        service.shutdown()


@pytest.fixture
def service(make_service: MakeService) -> RunService:
    return make_service()
