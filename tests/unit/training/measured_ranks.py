"""Run as a module, once a rank: what the ways to exchange make of numbers, and what is left of measured models."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.variants import OF_DDP, Variant
from dpdash.training.ddp import placement, variants
from dpdash.training.ddp.channel import ExchangeWork, Measure, StepWork
from dpdash.training.ddp.exchange import exchange
from dpdash.training.ddp.sharded import Ranks
from dpdash.training.ddp.shared_words import ControlWord
from dpdash.training.ddp.variants import RankMeasurer
from dpdash.training.variants.shards import Shard
from dpdash.training.variants.steady import Steady, Step, steady

NUM_RANKS: Final = 3
NUM_TOGETHER: Final = 2
LATE_SECONDS: Final = 0.02
SECONDS: Final = 0.1
LESS_THAN_A_STEP: Final = LATE_SECONDS / 10
SIZES: Final = (1, 2, 7, 1000)
CONFIG: Final = RunConfig(
    samples=9, hidden_depth=2, hidden_width=520, engine=EngineName.DDP, replicas=NUM_TOGETHER, learning_rate=1e-4
)
NUM_MICRO_BATCHES: Final = 3
IN_PARTS: Final = CONFIG.model_copy(update={"accumulation_steps": NUM_MICRO_BATCHES})
WORK: Final = {variant.value: StepWork(CONFIG, variant) for variant in OF_DDP} | {
    "one exchange": StepWork(IN_PARTS, Variant.ENGINE),
    "one exchange each": StepWork(IN_PARTS, Variant.EXCHANGE_EACH),
}
"""Ways to do a step, by their names."""


def numbers_of(rank: int, size: int) -> Tensor:
    """Whole numbers, whose sum is the same in every order."""
    return torch.arange(size, dtype=torch.float32) + 100 * rank


def write_all(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=NUM_RANKS)
    ranks = Ranks(rank, NUM_RANKS, ControlWord(Path(folder) / "word", NUM_RANKS))
    measurer = RankMeasurer(torch.device("cpu"), ("CPU",) * NUM_RANKS, ranks)
    torch.save({"sums": sums(ranks), "measured": measured(rank, measurer)}, f"{folder}/rank{rank}")
    dist.barrier()
    dist.destroy_process_group()


def sums(ranks: Ranks) -> dict[tuple[str, int], Tensor]:
    found = {}
    for way in ExchangeWay:
        for size in SIZES:
            found[way.value, size] = tensor = numbers_of(ranks.rank, size)
            exchange(way, tensor, ranks)
    return found


def bucket_sizes(ddp: DistributedDataParallel) -> str:
    """Bytes of DDP's buckets, with commas between."""
    known = ddp._get_ddp_logging_data()  # type: ignore[no-untyped-call]  # torch's
    return str(known.get("rebuilt_bucket_sizes"))


class Counting:
    """Measures a steady rate, and counts how often the ranks speak with each other while the clock counts."""

    def __init__(self) -> None:
        self.num_exchanges = 0

    def __call__(
        self, step: Step, seconds: float, wait: Callable[[], None], agree: Callable[[int], int] = abs
    ) -> Steady:
        ranks = getattr(agree, "__self__", None)
        counts: list[int] = []

        def clock() -> float:
            # torch counts what a group does together.
            group = ranks.group if isinstance(ranks, Ranks) else None
            num_calls = group._get_sequence_number_for_group() if group else 0  # type: ignore[attr-defined]  # torch's
            counts.append(num_calls)
            return time.perf_counter()

        found = steady(step, seconds, wait, agree, clock)
        self.num_exchanges = counts[-1] - counts[-2]
        return found


def measured(rank: int, measurer: RankMeasurer) -> dict[str, Any]:
    """What each order gives in this rank, its model's parameters then, DDP's buckets and its exchanges."""
    found: dict[str, Any] = {}
    models: list[nn.Module] = []
    wrapped: list[DistributedDataParallel] = []
    make_shard = Shard.on
    counting = Counting()

    def kept(device: torch.device, config: RunConfig, model: nn.Module, x: Tensor, y: Tensor) -> Shard:
        shard = make_shard(device, config, model, x, y)
        if rank == 1:
            shard.model.register_forward_pre_hook(lambda *_: time.sleep(LATE_SECONDS))
        models.append(shard.model)
        return shard

    def wrapping(*arguments: Any, **options: Any) -> DistributedDataParallel:
        wrapped.append(DistributedDataParallel(*arguments, **options))
        return wrapped[-1]

    with (
        patch.object(Shard, "on", kept),
        patch.object(placement, "DistributedDataParallel", wrapping),
        patch.object(variants, "steady", counting),
    ):
        for name, work in WORK.items():
            wrapped.clear()
            seconds = LESS_THAN_A_STEP if work.variant is Variant.ENGINE else SECONDS
            told = measurer.measure(Measure(work, NUM_TOGETHER, seconds))
            flat = torch.cat([each.detach().flatten() for each in models[-1].parameters()]) if models else None
            sizes = bucket_sizes(wrapped[0]) if wrapped else ""
            found[name] = (told, flat, sizes, counting.num_exchanges)
    exchange = Measure(ExchangeWork(ExchangeWay.ALL_REDUCE, 4), NUM_TOGETHER, 0.01)
    found["exchange"] = measurer.measure(exchange)
    return found


if __name__ == "__main__":
    write_all(int(sys.argv[1]), sys.argv[2])
