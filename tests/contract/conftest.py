"""What the suites go through: each engine that there is, and each kind of database."""

from collections.abc import Callable

import pytest

from dpdash.core.config import EngineName
from dpdash.training.catalog import ENGINES, engine
from tests.contract.training import NEEDS_GPU, config_for

NewUrl = Callable[[], str]
STORES: dict[str, Callable[[pytest.FixtureRequest], NewUrl]] = {
    "sqlite": lambda request: _new_files(request.getfixturevalue("tmp_path_factory")),
    "postgresql": lambda request: request.getfixturevalue("postgresql").new_database,
}
"""A new one is one line here."""


@pytest.fixture(scope="session", params=STORES)
def new_url(request: pytest.FixtureRequest) -> NewUrl:
    """Makes the URL of an empty database."""
    return STORES[request.param](request)


@pytest.fixture
def url(new_url: NewUrl) -> str:
    """An empty database of this test's own."""
    return new_url()


def _new_files(folders: pytest.TempPathFactory) -> NewUrl:
    return lambda: f"sqlite:///{folders.mktemp('store') / 'runs.db'}"


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.gpu if name in NEEDS_GPU else ()) for name in ENGINES], ids=str
)
def name(request: pytest.FixtureRequest) -> EngineName:
    wanted = EngineName(request.param)
    availability = engine(wanted).availability(config_for(wanted))
    if not availability.ok:
        pytest.skip(availability.reason)
    return wanted
