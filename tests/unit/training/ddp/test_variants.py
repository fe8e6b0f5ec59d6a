import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.variants import Variant
from dpdash.training.ddp.shared_words import ControlWord
from tests.unit.training.measured_ranks import (
    LATE_SECONDS,
    NUM_MICRO_BATCHES,
    NUM_RANKS,
    NUM_TOGETHER,
    SIZES,
    numbers_of,
)

Found = list[dict[str, Any]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What each of three ranks wrote, of which two measure together."""
    folder = tmp_path_factory.mktemp("ranks")
    ControlWord.create(folder / "word", NUM_RANKS)
    command = [sys.executable, "-m", "tests.unit.training.measured_ranks"]
    processes = [
        subprocess.Popen([*command, str(rank), str(folder)], stderr=subprocess.PIPE) for rank in range(NUM_RANKS)
    ]
    for process in processes:
        _out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    return [torch.load(Path(folder) / f"rank{rank}", weights_only=False) for rank in range(NUM_RANKS)]


@pytest.mark.parametrize("way", ExchangeWay)
@pytest.mark.parametrize("size", SIZES)
def test_every_rank_has_the_sum_whichever_way_it_was_exchanged(way: ExchangeWay, size: int, found: Found) -> None:
    expected = torch.stack([numbers_of(rank, size) for rank in range(NUM_RANKS)]).sum(0)
    for rank in range(NUM_RANKS):
        assert torch.equal(found[rank]["sums"][way.value, size], expected)


def test_ranks_that_have_no_part_measure_nothing(found: Found) -> None:
    for result in found[NUM_TOGETHER]["measured"].values():
        assert result is None or result[0] is None
    assert found[1]["measured"][Variant.SHARD_ALONE.value][0] is None


@pytest.mark.parametrize(
    ("variant", "is_alike"),
    [
        (Variant.ENGINE, True),
        (Variant.ONE_BUCKET, True),
        (Variant.FIRST_ALL_REDUCE, True),
        (Variant.NO_EXCHANGE, False),
        (Variant.SHARDS_AT_ONCE, False),
    ],
)
def test_models_stay_alike_where_gradients_are_exchanged(variant: Variant, is_alike: bool, found: Found) -> None:
    first, second = (found[rank]["measured"][variant.value][1] for rank in range(NUM_TOGETHER))
    assert torch.equal(first, second) == is_alike


@pytest.mark.parametrize(
    ("work", "a_step"),
    [
        (Variant.SHARDS_AT_ONCE.value, 0),
        (Variant.NO_EXCHANGE.value, 0),
        (Variant.ONE_BUCKET.value, 1),
        (Variant.ENGINE.value, 2),
        (Variant.FIRST_ALL_REDUCE.value, 2),
        ("one exchange", 2),
        ("one exchange each", 2 * NUM_MICRO_BATCHES),
    ],
)
def test_ranks_speak_while_the_clock_counts_once_a_bucket(work: str, a_step: int, found: Found) -> None:
    for rank in range(NUM_TOGETHER):
        steady, _parameters, _buckets, num_exchanges = found[rank]["measured"][work]
        assert num_exchanges == a_step * steady.num_steps


def test_all_who_measure_together_do_as_many_steps(found: Found) -> None:
    for variant in Variant:
        steadies = [rank["measured"].get(variant.value, (None,))[0] for rank in found]
        assert len({each.num_steps for each in steadies if each is not None}) <= 1


def test_a_late_rank_is_waited_for(found: Found) -> None:
    """Backward takes as long in each of them, because it ends with the all-reduce."""
    steady = found[0]["measured"][Variant.FIRST_ALL_REDUCE.value][0]
    assert steady.waiting_seconds > 0.5 * LATE_SECONDS
    assert found[0]["measured"][Variant.ENGINE.value][0].waiting_seconds is None


def test_one_bucket_takes_all_gradients(found: Found) -> None:
    _steady, parameters, sizes, _exchanges = found[0]["measured"][Variant.ONE_BUCKET.value]
    row = 3
    assert sizes == str((len(parameters) + row) * 4)
