"""The engines on a real GPU: alone, DDP with a rank for itself, and DDP with two ranks that share it over Gloo."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dpdash.core.config import EngineName
from dpdash.core.events import RunFinished, RunStarted
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.variants import OF_DDP, Variant
from dpdash.training.catalog import engine
from dpdash.training.ddp.group import RankGroup
from dpdash.training.hardware import gpu_name, num_gpus
from tests.contract.training import config_for, run

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    if not num_gpus():
        pytest.skip("needs a CUDA device; this machine has none")
    # Ranks share a GPU only where there are fewer GPUs than ranks.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")


@pytest.mark.parametrize(
    ("name", "replicas"),
    [(EngineName.SINGLE, 1), (EngineName.DDP, 1), (EngineName.DDP, 2)],
    ids=["single", "ddp, one rank", "ddp, two ranks that share the GPU"],
)
@pytest.mark.parametrize(
    "settings",
    [{}, {"global_batch_size": 64, "epochs": 5}, {"hidden_depth": 2, "hidden_width": 16, "samples": 501}],
    ids=["full batch", "batches", "mlp with uneven shards"],
)
def test_losses_are_those_of_single(name: EngineName, replicas: int, settings: dict[str, Any]) -> None:
    config = config_for(name, replicas=replicas, **settings)
    watcher = run(engine(name), config)
    started = watcher.events[0]
    assert isinstance(started, RunStarted)
    assert not started.emulated
    assert started.devices == (gpu_name(0),) * replicas
    assert isinstance(watcher.terminal, RunFinished)
    reference = run(engine(EngineName.SINGLE), config_for(EngineName.SINGLE, **settings))
    np.testing.assert_allclose(watcher.column("loss"), reference.column("loss"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [EngineName.DATA_PARALLEL, EngineName.DDP])
def test_a_run_trains_on_the_gpus_that_it_names(name: EngineName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    if num_gpus() < 2:
        pytest.skip("needs two devices; this machine has one")
    watcher = run(engine(name), config_for(name, replicas=2, devices=(1, 0)))
    started = watcher.events[0]
    assert isinstance(started, RunStarted)
    assert started.devices == (gpu_name(1), gpu_name(0))
    assert isinstance(watcher.terminal, RunFinished)


@pytest.fixture(scope="module")
def sharing() -> Iterator[RankGroup]:
    """Two ranks that share a GPU."""
    if not num_gpus():
        pytest.skip("needs a CUDA device; this machine has none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "0")
        with RankGroup(2) as group:
            yield group


@pytest.mark.parametrize("variant", OF_DDP)
def test_ranks_measure_every_way_to_do_a_step(variant: Variant, sharing: RankGroup) -> None:
    config = config_for(EngineName.DDP, replicas=2, hidden_depth=2, hidden_width=16)
    steady = sharing.measure(config, variant, 0.05)
    assert steady.step_seconds > 0
    assert (steady.waiting_seconds is not None) == (variant is Variant.FIRST_ALL_REDUCE)


@pytest.mark.parametrize("way", ExchangeWay)
def test_ranks_measure_every_way_to_exchange(way: ExchangeWay, sharing: RankGroup) -> None:
    assert sharing.exchange(way, 2**20, 2, 0.05).step_seconds > 0
