"""DataParallel's algorithm on the CPU: every replica is a thread with its own copy of the model."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import Checkpoint
from dpdash.training.control import RunControl
from dpdash.training.engine import Availability, Emit
from dpdash.training.engines.placement import Replicas
from dpdash.training.hardware import CPU
from dpdash.training.loop.placement import Placement
from dpdash.training.loop.run import train
from dpdash.training.threads import ONE_CORE, set_here


class CpuReplicas:
    """Trains with replicas that are threads: the same steps and numbers as on GPUs, on any machine."""

    name = EngineName.CPU_REPLICAS

    def availability(self, config: RunConfig) -> Availability:
        """Always: there may be more threads than cores, they are only not faster."""
        return Availability()

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        """See `Engine.run`."""
        train(config, emit, control, lambda: self.place(config), start=start, num_threads=ONE_CORE)

    def place(self, config: RunConfig) -> Placement:
        """See `InProcess.place`."""

        @contextmanager
        def distribute(model: nn.Module) -> Iterator[nn.Module]:
            with ThreadPoolExecutor(config.replicas, "replica", set_here, (ONE_CORE,)) as pool:
                yield CpuDataParallel(model, config.replicas, pool)

        return Replicas(torch.device("cpu"), (CPU,) * config.replicas, distribute, emulated=True)


class CpuDataParallel(nn.DataParallel[nn.Module]):
    """`nn.DataParallel` whose four methods work on the CPU; its `forward` is torch's own."""

    def __init__(self, module: nn.Module, num_replicas: int, pool: ThreadPoolExecutor) -> None:
        # DataParallel's own __init__ would take the GPUs, or without any set nothing that its forward needs.
        nn.Module.__init__(self)
        self.module = module
        self.dim = 0
        self.device_ids = list(range(num_replicas))
        self.output_device = 0
        self.src_device_obj = torch.device("cpu")
        self._pool = pool

    def scatter(
        self, inputs: tuple[Any, ...], kwargs: dict[str, Any] | None, device_ids: Sequence[int | torch.device]
    ) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
        """Cut a batch into one shard a replica, or fewer where there are fewer samples. No copies are made."""
        (batch,) = inputs
        assert not kwargs
        shards = batch.chunk(len(device_ids), self.dim)
        return [(shard,) for shard in shards], [{} for _ in shards]

    def replicate(self, module: nn.Module, device_ids: Sequence[int | torch.device]) -> list[nn.Module]:
        """Copy the model once a replica. Gradients flow through the copies back to the one that is updated."""
        copies = [_copies(parameter, len(device_ids)) for parameter in module.parameters()]
        return [_replica(module, iter(parameters)) for parameters in zip(*copies, strict=True)]

    def parallel_apply(self, replicas: Sequence[nn.Module], inputs: Sequence[Any], kwargs: Any) -> list[Tensor]:
        """Run each replica on its shard, each in its own thread. What one of them raises is raised here."""
        grad_enabled = torch.is_grad_enabled()  # is known to this thread alone

        def forward(replica: nn.Module, shard: Tensor) -> Tensor:
            with torch.set_grad_enabled(grad_enabled):
                return replica(shard)  # type: ignore[no-any-return]

        futures = [
            self._pool.submit(forward, replica, shard) for replica, (shard,) in zip(replicas, inputs, strict=True)
        ]
        return [future.result() for future in futures]

    def gather(self, outputs: Sequence[Tensor], output_device: int | torch.device) -> Tensor:
        """Put the shards' outputs together in their order; shape (num_samples, 1)."""
        return torch.cat(list(outputs), self.dim)


def _copies(parameter: Tensor, num_replicas: int) -> tuple[Tensor, ...]:
    """Copies of a parameter, one a replica; their gradients are added up in the order of the replicas.

    One clone a replica would do too, but autograd would add their gradients in the order in which the threads
    happened to run, and equal runs would differ in the last digit.
    """
    return parameter.expand(num_replicas, *parameter.shape).clone().unbind()


def _replica(module: nn.Module, parameters: Iterator[Tensor]) -> nn.Module:
    """A module object of its own with the given parameters, made the way torch's `replicate` makes one.

    Replicas that shared one module object would overwrite each other's parameters: that trains, to a wrong loss.
    """
    replica: nn.Module = module._replicate_for_data_parallel()  # type: ignore[no-untyped-call]
    # In the order of `module.parameters()`. What was computed is no nn.Parameter: it is set as a plain attribute.
    for name, _ in module.named_parameters(recurse=False):
        setattr(replica, name, next(parameters))
    for name, child in module.named_children():
        setattr(replica, name, _replica(child, parameters))
    return replica
