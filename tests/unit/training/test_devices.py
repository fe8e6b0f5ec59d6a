"""Which GPUs a run trains on: no machine at hand has two, so what engines ask of torch is looked at."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import ConfigError, EngineUnavailableError
from dpdash.core.limits import Limits
from dpdash.core.settings import ServerSettings
from dpdash.training import catalog, hardware
from dpdash.training.ddp import layout as places
from dpdash.training.ddp.channel import DEVICES_VARIABLE
from dpdash.training.ddp.launch import Launch
from dpdash.training.engines import data_parallel, single
from dpdash.training.engines.data_parallel import DataParallel
from dpdash.training.engines.single import Single
from dpdash.web.links import parse_query

NUM_GPUS = 3


@pytest.fixture(autouse=True)
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (hardware, catalog, data_parallel, single, places):
        monkeypatch.setattr(module, "num_gpus", lambda: NUM_GPUS)
    for module in (data_parallel, single, places):
        monkeypatch.setattr(module, "gpu_name", lambda index: f"A card {index}")


def config_on(*devices: int, engine: EngineName, replicas: int | None = None) -> RunConfig:
    return RunConfig(devices=devices or None, engine=engine, replicas=replicas or len(devices))


def test_one_device_is_the_one_that_was_named() -> None:
    placed = Single().place(config_on(2, engine=EngineName.SINGLE))
    assert (placed.device, placed.names) == (torch.device("cuda", 2), ("A card 2",))
    placed = Single().place(RunConfig())
    assert (placed.device, placed.names) == (torch.device("cuda", 0), ("A card 0",))


class HasStartedError(Exception):
    """Instead of a process."""


@dataclass
class Spread:
    """What `nn.DataParallel` was asked for."""

    model: nn.Module
    device_ids: list[int]


@pytest.mark.parametrize(("devices", "used"), [((2, 0), [2, 0]), ((), [0, 1])])
def test_data_parallel_spreads_over_those_and_begins_with_the_first(
    devices: tuple[int, ...], used: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn, "DataParallel", Spread)
    placed = DataParallel().place(config_on(*devices, engine=EngineName.DATA_PARALLEL, replicas=2))
    assert placed.device == torch.device("cuda", used[0])
    assert placed.names == tuple(f"A card {index}" for index in used)
    with placed.distribute(nn.Linear(1, 1)) as spread:
        asked: Any = spread
        assert asked.device_ids == used


def test_ranks_of_ddp_are_told_which_are_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)
    found = places.layout(2, (2, 1))
    assert found.devices == (torch.device("cuda", 2), torch.device("cuda", 1))
    assert (found.names, found.backend) == (("A card 2", "A card 1"), "nccl")

    started: list[str] = []

    def start(self: Launch, module: str, variables: dict[str, str]) -> None:
        started.append(variables[DEVICES_VARIABLE])
        raise HasStartedError

    monkeypatch.setattr(Launch, "_start", start)
    for devices in ((2, 1), None):
        with pytest.raises(HasStartedError):
            Launch(2, "module", devices)
    assert started == ["2,1", ""]


@pytest.mark.parametrize("engine", [EngineName.SINGLE, EngineName.DATA_PARALLEL, EngineName.DDP])
def test_a_gpu_that_is_not_there_is_said(engine: EngineName) -> None:
    here = config_on(*([0] if engine is EngineName.SINGLE else [0, 2]), engine=engine)
    assert catalog.engine(engine).availability(here).ok
    elsewhere = config_on(*([7] if engine is EngineName.SINGLE else [0, 7]), engine=engine)
    with pytest.raises(EngineUnavailableError, match=r"which has 3, numbered from 0\. Received: 7"):
        catalog.require(elsewhere)


def test_a_link_from_another_machine_leaves_the_choice_to_this_one() -> None:
    query = {"devices": ["0,7"], "engine": ["ddp"], "replicas": ["2"]}
    link = parse_query(query, Limits.of(ServerSettings()))
    assert (link.config.devices, link.config.replicas) == (None, 2)
    assert "Received: 7" in str(link.problems[0])
    assert parse_query({**query, "devices": ["0,2"]}, Limits.of(ServerSettings())).config.devices == (0, 2)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"devices": "1,1"}, "devices must be different GPUs. Received: 1,1. Name each once."),
        ({"devices": "1"}, "devices must be as many as the replicas, 2. Received: 1."),
        ({"devices": "1,x"}, "devices must be numbers of GPUs with commas between them. Received: 1,x. Try 0,1."),
        ({"devices": (0, -1)}, "devices must be at least 0. Received: -1. Try 0,1."),
        ({"devices": "0,1", "engine": "cpu_replicas"}, "devices are GPUs, and cpu_replicas trains on none."),
    ],
)
def test_what_does_not_fit_is_said(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        RunConfig.parse({"engine": "ddp", "replicas": 2, **values})


def test_a_choice_comes_back_from_a_link_and_from_a_database() -> None:
    config = config_on(2, 0, engine=EngineName.DDP)
    assert config.to_query()["devices"] == "2,0"
    assert RunConfig.parse(config.to_query()) == RunConfig.parse(config.model_dump(mode="json")) == config
