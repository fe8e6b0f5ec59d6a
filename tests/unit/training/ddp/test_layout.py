"""Where the ranks of DDP train."""

import pytest
import torch
import torch.distributed as dist

from dpdash.training.ddp import layout as places
from dpdash.training.ddp.layout import layout


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "gpu_name", lambda index: f"A card {index}")
    monkeypatch.setattr(dist, "is_nccl_available", lambda: True)


@pytest.mark.parametrize(
    ("num_gpus", "backend", "indices", "names"),
    [
        (0, "gloo", None, ("CPU core",) * 3),
        (2, "gloo", (0, 1, 0), ("A card 0", "A card 1", "A card 0")),
        (3, "nccl", (0, 1, 2), ("A card 0", "A card 1", "A card 2")),
    ],
    ids=["no gpu", "ranks that share", "a gpu each"],
)
def test_ranks_share_a_processor_by_its_name_and_speak_nccl_only_where_none_does(
    monkeypatch: pytest.MonkeyPatch,
    num_gpus: int,
    backend: str,
    indices: tuple[int, ...] | None,
    names: tuple[str, ...],
) -> None:
    monkeypatch.setattr(places, "num_gpus", lambda: num_gpus)
    found = layout(3)
    assert (found.backend, found.names) == (backend, names)
    devices = ("cpu",) * 3 if indices is None else tuple(f"cuda:{index}" for index in indices)
    assert found.devices == tuple(map(torch.device, devices))
