"""Where a run trains."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import nn

from dpdash.training.ddp.sharded import Ranks

Distribute = Callable[[nn.Module], AbstractContextManager[nn.Module]]
"""Wraps a model that is on its first device so that its forward runs on all replicas, while the context lasts."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a run trains, and how its model is spread there."""

    device: torch.device
    """Holds the data, the model that is updated, and the rows."""
    names: tuple[str, ...]
    """One for each replica."""
    distribute: Distribute | None = None
    """None where one device does it all."""
    emulated: bool = False
    ranks: Ranks | None = None
    """The processes that train together, of which this is one; None where this one does it all."""
