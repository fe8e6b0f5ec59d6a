"""Uneven shards: what DDP makes of them by itself, and what ours are."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dpdash.problem.data import draw
from dpdash.problem.model import build_model
from dpdash.training.ddp.sharded import Ranks
from dpdash.training.ddp.shared_words import ControlWord
from tests.e2e.server import ROOT
from tests.unit.training.both_ways import CONFIG, NUM_RANKS, gradients


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    folder = tmp_path_factory.mktemp("ranks")
    ControlWord.create(folder / "word", NUM_RANKS)
    command = [sys.executable, "-m", "tests.unit.training.both_ways"]
    ranks = [subprocess.Popen([*command, str(rank), str(folder)], cwd=ROOT) for rank in range(NUM_RANKS)]
    assert [rank.wait() for rank in ranks] == [0] * NUM_RANKS
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


def test_what_all_ranks_observe_together_is_what_one_alone_would(found: list[dict[str, Tensor]]) -> None:
    for rank in range(NUM_RANKS):
        torch.testing.assert_close(found[rank]["observed"], found[rank]["alone"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("num_samples", "expected"), [(9, [(0, 5), (5, 9)]), (1, [(0, 1), (1, 1)])])
def test_the_shards_are_cut_as_dataparallel_cuts_them(
    tmp_path: Path, num_samples: int, expected: list[tuple[int, int]]
) -> None:
    ControlWord.create(tmp_path / "word", NUM_RANKS)
    word = ControlWord(tmp_path / "word", NUM_RANKS)
    cut = [Ranks(rank, NUM_RANKS, word).shard(num_samples) for rank in range(NUM_RANKS)]
    assert [(shard.start, shard.stop) for shard in cut] == expected
