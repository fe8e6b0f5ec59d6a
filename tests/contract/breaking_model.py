"""A model that breaks while it trains, in this process and in the processes of a run that has several."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from unittest import mock

import torch
from torch import Tensor, nn

from dpdash.core.config import RunConfig
from dpdash.problem.model import SimpleNN, build_model

ERROR_VARIABLE: Final = "BREAKING_RANK_ERROR"
"""Names the variable that holds the error, pickled, in hexadecimal digits."""


class Raising(SimpleNN):
    """A model that breaks in its third forward."""

    error: Exception
    num_forwards = 0

    def forward(self, x: Tensor) -> Tensor:
        type(self).num_forwards += 1
        if type(self).num_forwards > 2:
            raise self.error
        return super().forward(x)


@contextmanager
def breaking_model(error: Exception) -> Iterator[None]:
    """Meanwhile every run of this process has a model that breaks with this error."""

    def build(config: RunConfig, generator: torch.Generator) -> nn.Module:
        model = build_model(config, generator)
        model.__class__ = type("Broken", (Raising,), {"error": error})
        return model

    with mock.patch("dpdash.training.loop.run.build_model", build):
        yield
