"""What everybody keeps to who measures ways to do a step."""

import threading
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.cores import num_cores
from dpdash.core.scaling.variants import Variant, variants_of
from dpdash.problem.data import Data
from dpdash.training.catalog import engine
from dpdash.training.failures import OUT_OF_MEMORY
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.loop.run import drawn_on
from dpdash.training.variants import drawn as drawn_module
from dpdash.training.variants.in_process import InThisProcess
from dpdash.training.variants.measurer import Measurer, MeasuringError
from dpdash.training.variants.shards import Shard
from tests.contract.breaking_model import breaking_model
from tests.contract.training import config_for

SHORT = 0.01
IN_PROCESS = (EngineName.SINGLE, EngineName.CPU_REPLICAS, EngineName.DATA_PARALLEL)
WAYS = [
    pytest.param(name, way, marks=pytest.mark.gpu if name is EngineName.DATA_PARALLEL else ())
    for name in IN_PROCESS
    for way in variants_of(name)
]


@pytest.fixture
def measurer() -> Measurer:
    return InThisProcess()


def wanted(name: EngineName, **settings: object) -> RunConfig:
    """A config of an engine that this machine has."""
    config = config_for(name, replicas=1 if name is EngineName.SINGLE else 2, **settings)
    if not engine(name).availability(config).ok:
        pytest.skip(engine(name).availability(config).reason)
    return config


@pytest.mark.parametrize(("name", "way"), WAYS)
@pytest.mark.parametrize("settings", [{}, {"hidden_depth": 1, "hidden_width": 8, "samples": 501}])
def test_each_way_has_a_steady_rate(
    name: EngineName, way: Variant, settings: dict[str, object], measurer: Measurer
) -> None:
    usual = torch.get_num_threads()
    found = measurer.measure(wanted(name, **settings), way, SHORT)
    assert 0 < found.step_seconds < 60
    assert found.num_steps >= 1
    assert torch.get_num_threads() == usual


@dataclass(frozen=True)
class Forward:
    """A training forward, as it was seen."""

    thread: str
    num_samples: int
    num_threads: int
    """Of an operation."""


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[Forward]:
    """Every training forward of this process."""
    seen: list[Forward] = []
    predict = GradientStep.predict

    def look(step: GradientStep, x: Tensor) -> Tensor:
        seen.append(Forward(threading.current_thread().name, len(x), torch.get_num_threads()))
        return predict(step, x)

    monkeypatch.setattr(GradientStep, "predict", look)
    return seen


@pytest.mark.parametrize(
    ("way", "num_samples", "is_in_threads"),
    [
        (Variant.SHARD_ALONE, 3, False),
        (Variant.SHARDS_AT_ONCE, 3, True),
        (Variant.ONE_BACKWARD, 3, True),
        (Variant.ENGINE, 9, False),
    ],
)
def test_a_replica_that_gets_no_samples_does_nothing(
    way: Variant, num_samples: int, is_in_threads: bool, forwards: list[Forward], measurer: Measurer
) -> None:
    # Nine samples on four replicas are cut 3, 3, 3, 0.
    found = measurer.measure(config_for(EngineName.CPU_REPLICAS, replicas=4, samples=9), way, SHORT)
    assert {forward.num_samples for forward in forwards} == {num_samples}
    assert len(forwards) >= (3 if is_in_threads else 1) * found.num_steps
    here = threading.current_thread().name
    assert all((forward.thread != here) == is_in_threads for forward in forwards)


@pytest.mark.parametrize(("way", "num_threads"), [(Variant.ENGINE, 1), (Variant.WHOLE_CPU, num_cores())])
def test_one_device_is_one_core_or_all_of_them(
    way: Variant, num_threads: int, forwards: list[Forward], measurer: Measurer
) -> None:
    measurer.measure(wanted(EngineName.SINGLE), way, SHORT)
    assert {forward.num_threads for forward in forwards} == {num_threads}


def test_data_is_drawn_once_for_all_replicas_and_ways(measurer: Measurer, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[RunConfig] = []

    def look(config: RunConfig, device: torch.device) -> tuple[Data, nn.Module]:
        drawn.append(config)
        return drawn_on(config, device)

    monkeypatch.setattr(drawn_module, "drawn_on", look)
    for replicas in (2, 4):
        for way in variants_of(EngineName.CPU_REPLICAS):
            measurer.measure(config_for(EngineName.CPU_REPLICAS, replicas=replicas), way, SHORT)
    assert len(drawn) == 1
    measurer.measure(config_for(EngineName.CPU_REPLICAS, samples=60), Variant.ENGINE, SHORT)
    assert [config.samples for config in drawn] == [500, 60]


def test_what_is_measured_first_does_not_change_what_is_measured_next(
    measurer: Measurer, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(EngineName.CPU_REPLICAS, hidden_depth=1, hidden_width=4, learning_rate=0.1)
    began: list[Tensor] = []
    on = Shard.on

    def look(device: torch.device, config: RunConfig, model: nn.Module, x: Tensor, y: Tensor) -> Shard:
        began.append(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))
        return on(device, config, model, x, y)

    monkeypatch.setattr(Shard, "on", look)
    for way in (*variants_of(config.engine), *variants_of(config.engine)):
        measurer.measure(config, way, SHORT)
    assert all(torch.equal(parameters, began[0]) for parameters in began)


def test_what_cannot_be_done_is_a_sentence(measurer: Measurer) -> None:
    with breaking_model(MemoryError()), pytest.raises(MeasuringError) as caught:
        measurer.measure(config_for(EngineName.SINGLE), Variant.ENGINE, SHORT)
    assert caught.value.template == OUT_OF_MEMORY
