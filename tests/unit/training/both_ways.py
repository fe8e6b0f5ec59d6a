"""Run as a module, once a rank: the gradients of plain DDP and of ours, on uneven shards."""

import sys
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn, optim
from torch.nn.parallel import DistributedDataParallel

from dpdash.core.config import RunConfig
from dpdash.problem.data import Data, draw
from dpdash.problem.model import build_model
from dpdash.problem.projection import line_projection
from dpdash.training.ddp.sharded import Ranks, ShardedObserver, ShardStep
from dpdash.training.ddp.shared_words import ControlWord

NUM_RANKS: Final = 2
CONFIG: Final = RunConfig(samples=9, hidden_depth=1, hidden_width=4)


def gradients(model: nn.Module) -> Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])


def seen_alone(model: nn.Module, data: Data) -> Tensor:
    """Loss, slope and intercept as one who has all the samples works them out."""
    with torch.no_grad():
        outputs = model(data.x)
        return torch.cat(
            [nn.functional.mse_loss(outputs, data.y).view(1), line_projection(data.x) @ outputs.flatten()]
        )


def write_both(rank: int, folder: str) -> None:
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
    line, loss = torch.zeros(2), torch.zeros(())
    ShardedObserver(model, data.x, data.y, ranks).observe(line, loss)
    found["observed"] = torch.cat([loss.view(1), line])
    found["alone"] = seen_alone(model, data)
    torch.save(found, f"{folder}/rank{rank}")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    write_both(int(sys.argv[1]), sys.argv[2])
