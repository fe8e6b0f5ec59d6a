import pytest

from dpdash.config import EngineName
from dpdash.engines.catalog import ENGINES, engine
from tests.contract.training import NEEDS_GPU, config_for


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.gpu if name in NEEDS_GPU else ()) for name in ENGINES], ids=str
)
def name(request: pytest.FixtureRequest) -> EngineName:
    wanted = EngineName(request.param)
    availability = engine(wanted).availability(config_for(wanted))
    if not availability.ok:
        pytest.skip(availability.reason)
    return wanted
