"""torch's own DataParallel on several GPUs."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import N_, EngineUnavailableError
from dpdash.core.events import Checkpoint
from dpdash.training.control import RunControl
from dpdash.training.engine import Availability, Emit
from dpdash.training.engines.placement import Replicas
from dpdash.training.hardware import chosen_gpus, gpu_name, missing_gpus, num_gpus
from dpdash.training.loop.placement import Placement
from dpdash.training.loop.run import train


class DataParallel:
    """Trains with `nn.DataParallel`; data and model are placed once on the first of its GPUs."""

    name = EngineName.DATA_PARALLEL

    def availability(self, config: RunConfig) -> Availability:
        """Where there are two GPUs, and as many as the config has replicas."""
        gpus = num_gpus()
        if gpus < 2:
            return Availability(
                EngineUnavailableError(
                    N_("DataParallel needs at least 2 GPUs. This machine has: {num_gpus}. Try the engine {hint}."),
                    hint=EngineName.CPU_REPLICAS,
                    num_gpus=gpus,
                )
            )
        if config.replicas > gpus:
            return Availability(
                EngineUnavailableError(
                    N_(
                        "{replicas} replicas need as many GPUs. This machine has: {num_gpus}. "
                        "Try {num_gpus} replicas."
                    ),
                    replicas=config.replicas,
                    num_gpus=gpus,
                )
            )
        return Availability(missing_gpus(config))

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        """See `Engine.run`."""
        train(config, emit, control, lambda: self.place(config), start=start)

    def place(self, config: RunConfig) -> Placement:
        """See `InProcess.place`."""
        device_ids = list(chosen_gpus(config))

        def distribute(model: nn.Module) -> AbstractContextManager[nn.Module]:
            return nullcontext(nn.DataParallel(model, device_ids=device_ids))

        return Replicas(
            torch.device("cuda", device_ids[0]), tuple(gpu_name(index) for index in device_ids), distribute
        )
