"""The data and the untrained model that the ways to do a config's step are measured with."""

import torch
from torch import nn

from dpdash.core.config import EngineName, RunConfig
from dpdash.problem.data import Data
from dpdash.training.loop.run import drawn_on

NOT_DRAWN_FROM: dict[str, object] = {
    "engine": EngineName.SINGLE,
    "replicas": 1,
    "devices": None,
    "bucket_cap_mb": None,
    "accumulation_steps": 1,
}
"""Settings that nothing is drawn from."""


class Drawn:
    """What was drawn last, kept: the ways to do a step are measured one after the other."""

    def __init__(self) -> None:
        self._latest: tuple[RunConfig, torch.device, Data, nn.Module] | None = None

    def on(self, config: RunConfig, device: torch.device) -> tuple[Data, nn.Module]:
        """The data and the untrained model of a config, which one that differs in its replicas has too."""
        alike = config.model_copy(update=NOT_DRAWN_FROM)
        if self._latest is None or self._latest[:2] != (alike, device):
            self._latest = (alike, device, *drawn_on(alike, device))
        return self._latest[2:]
