"""Run as a module: a rank of DDP. Of two, the second sleeps inside each of its backwards."""

import os
import time
from typing import Final
from unittest import mock

import torch
from torch import Tensor, nn

from dpdash.core.config import RunConfig
from dpdash.problem.model import SimpleNN, build_model
from dpdash.training.ddp import worker as ddp_worker

SLOW_RANK: Final = "1"
SLEEP_SECONDS: Final = 0.02


class SlowBackward(SimpleNN):
    """A model whose way back takes a nap behind its first operation."""

    def forward(self, x: Tensor) -> Tensor:
        outputs = super().forward(x)
        if outputs.grad_fn is not None:
            outputs.grad_fn.register_hook(lambda _inputs, _outputs: time.sleep(SLEEP_SECONDS))
        return outputs


def build_slow_model(config: RunConfig, generator: torch.Generator) -> nn.Module:
    """The model of a run, slow."""
    model = build_model(config, generator)
    model.__class__ = SlowBackward
    return model


if __name__ == "__main__":
    if os.environ["RANK"] == SLOW_RANK:
        mock.patch("dpdash.training.loop.run.build_model", build_slow_model).start()
    ddp_worker.main()
