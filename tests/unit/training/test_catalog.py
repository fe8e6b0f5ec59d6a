import pytest

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import EngineUnavailableError
from dpdash.training.catalog import offer, require


def _machine(monkeypatch: pytest.MonkeyPatch, num_gpus: int, num_cores: int = 2) -> None:
    monkeypatch.setattr("dpdash.training.catalog.num_gpus", lambda: num_gpus)
    monkeypatch.setattr("dpdash.training.engines.data_parallel.num_gpus", lambda: num_gpus)
    monkeypatch.setattr("dpdash.training.hardware.num_cores", lambda: num_cores)
    monkeypatch.setattr("dpdash.training.hardware.num_gpus", lambda: num_gpus)


@pytest.mark.parametrize(
    ("num_gpus", "num_cores", "max_replicas", "parallel_engine"),
    [
        (0, 2, 4, EngineName.CPU_REPLICAS),
        (1, 16, 16, EngineName.CPU_REPLICAS),
        (2, 16, 2, EngineName.DATA_PARALLEL),
        (8, 2, 8, EngineName.DATA_PARALLEL),
    ],
)
def test_offer_is_gpus_or_else_emulated_replicas(
    monkeypatch: pytest.MonkeyPatch,
    num_gpus: int,
    num_cores: int,
    max_replicas: int,
    parallel_engine: EngineName,
) -> None:
    _machine(monkeypatch, num_gpus, num_cores)
    offered = offer()
    assert offered.num_gpus == num_gpus
    assert offered.max_replicas == max_replicas
    assert offered.emulated == (parallel_engine is EngineName.CPU_REPLICAS)
    assert offered.engine_for(1) is EngineName.SINGLE
    assert offered.engine_for(2) is parallel_engine


@pytest.mark.parametrize(("num_gpus", "replicas", "way_out"), [(1, 1, "cpu_replicas"), (2, 3, "Try 2 replicas")])
def test_an_engine_that_is_not_there_says_why_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, num_gpus: int, replicas: int, way_out: str
) -> None:
    _machine(monkeypatch, num_gpus)
    config = RunConfig(engine=EngineName.DATA_PARALLEL, replicas=replicas)
    with pytest.raises(EngineUnavailableError, match=way_out):
        require(config)


def test_what_is_there_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(monkeypatch, 4)
    for name in EngineName:
        wanted = require(RunConfig(engine=name))
        assert wanted.name is name
        assert wanted.availability(RunConfig(engine=name)).reason == ""
