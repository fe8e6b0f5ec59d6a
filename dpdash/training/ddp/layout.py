"""Which device each rank of DDP trains on, and how the ranks speak with each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist

from dpdash.training.hardware import CPU_CORE, gpu_name, num_gpus


@dataclass(frozen=True, slots=True)
class Layout:
    """The devices of the ranks of one run."""

    backend: str
    """What torch calls the way in which the ranks speak: NCCL between GPUs of their own, or else Gloo."""
    devices: tuple[torch.device, ...]
    names: tuple[str, ...]


def layout(num_ranks: int, named: Sequence[int] = ()) -> Layout:
    """Where so many ranks train: on the GPUs that were named, on one each, on shared ones, or on CPU cores."""
    gpus = num_gpus()
    if not gpus:
        return Layout("gloo", (torch.device("cpu"),) * num_ranks, (CPU_CORE,) * num_ranks)
    indices = named or [rank % gpus for rank in range(num_ranks)]
    devices = tuple(torch.device("cuda", index) for index in indices)
    # NCCL refuses two ranks on one GPU.
    backend = "nccl" if len(set(indices)) == num_ranks and dist.is_nccl_available() else "gloo"
    return Layout(backend, devices, tuple(map(gpu_name, indices)))
