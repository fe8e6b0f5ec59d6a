"""Uneven shards: what DDP makes of them by itself, and what ours are."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn, optim
from torch.nn.parallel import DistributedDataParallel

from dpdash.config import RunConfig
from dpdash.engines.control_word import ControlWord
from dpdash.engines.sharded import Ranks, ShardStep
from dpdash.problem.data import draw
from dpdash.problem.model import build_model

NUM_RANKS = 2
CONFIG = RunConfig(samples=9, hidden_depth=1, hidden_width=4)


def gradients(model: nn.Module) -> Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])


def _both_ways(rank: int, folder: str) -> None:
    """Write the gradient of plain DDP and of ours, as this rank sees it after the all-reduce."""
    dist.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=NUM_RANKS)
    ranks = Ranks(rank, NUM_RANKS, ControlWord(Path(folder) / "word", NUM_RANKS))
    found: dict[str, Any] = {}
    data = draw(CONFIG)
    model = build_model(CONFIG, data.generator)
    plain = DistributedDataParallel(model)
    shard = ranks.shard(CONFIG.samples)
    nn.functional.mse_loss(plain(data.x[shard]), data.y[shard]).backward()  # type: ignore[no-untyped-call]
    found["plain"] = gradients(model).clone()
    step = ShardStep(plain, optim.SGD(model.parameters(), lr=1e-9), CONFIG.samples, torch.device("cpu"), ranks)
    step.update(step.predict(data.x), data.y)
    found["ours"] = gradients(model).clone()
    torch.save(found, f"{folder}/rank{rank}")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    folder = tmp_path_factory.mktemp("ranks")
    ControlWord.create(folder / "word", NUM_RANKS)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_both_ways, args=(rank, str(folder))) for rank in range(NUM_RANKS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * NUM_RANKS
    return [torch.load(folder / f"rank{rank}") for rank in range(NUM_RANKS)]


def full_batch_gradient() -> Tensor:
    data = draw(CONFIG)
    model = build_model(CONFIG, data.generator)
    nn.functional.mse_loss(model(data.x), data.y).backward()  # type: ignore[no-untyped-call]
    return gradients(model)


def test_plain_ddp_is_biased_with_uneven_shards(found: list[dict[str, Tensor]]) -> None:
    for rank in range(NUM_RANKS):
        assert not torch.allclose(found[rank]["plain"], full_batch_gradient(), rtol=1e-2)


def test_ours_is_the_gradient_of_the_full_batch(found: list[dict[str, Tensor]]) -> None:
    for rank in range(NUM_RANKS):
        torch.testing.assert_close(found[rank]["ours"], full_batch_gradient(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("num_samples", "expected"), [(9, [(0, 5), (5, 9)]), (1, [(0, 1), (1, 1)])])
def test_the_shards_are_cut_as_dataparallel_cuts_them(
    tmp_path: Path, num_samples: int, expected: list[tuple[int, int]]
) -> None:
    ControlWord.create(tmp_path / "word", NUM_RANKS)
    word = ControlWord(tmp_path / "word", NUM_RANKS)
    cut = [Ranks(rank, NUM_RANKS, word).shard(num_samples) for rank in range(NUM_RANKS)]
    assert [(shard.start, shard.stop) for shard in cut] == expected
