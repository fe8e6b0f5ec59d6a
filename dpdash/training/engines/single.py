"""One device: the first GPU, or else the CPU."""

import torch

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import Checkpoint
from dpdash.training.control import RunControl
from dpdash.training.engine import Availability, Emit
from dpdash.training.engines.placement import OneDevice
from dpdash.training.hardware import CPU, chosen_gpus, gpu_name, missing_gpus, num_gpus
from dpdash.training.loop.placement import Placement
from dpdash.training.loop.run import train


class Single:
    """Trains on one device, without replicas."""

    name = EngineName.SINGLE

    def availability(self, config: RunConfig) -> Availability:
        """Always, for every machine has a CPU, unless a GPU is named that is not there."""
        return Availability(missing_gpus(config))

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        """See `Engine.run`."""
        train(config, emit, control, lambda: self.place(config), start=start)

    def place(self, config: RunConfig) -> Placement:
        """See `InProcess.place`."""
        if num_gpus():
            (index,) = chosen_gpus(config)
            return OneDevice(torch.device("cuda", index), (gpu_name(index),))
        return OneDevice(torch.device("cpu"), (CPU,))
