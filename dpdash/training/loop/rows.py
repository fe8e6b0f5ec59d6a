"""The rows of a run on their way from the device that trains to the events."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpdash.problem.model import SimpleNN
from dpdash.problem.projection import line_projection


class Rows:
    """A block of rows in the device's memory, allocated once: writing a row copies nothing off the device."""

    def __init__(self, capacity: int, device: torch.device) -> None:
        self.capacity = capacity
        self._block = torch.zeros(capacity, 3, device=device)
        # Indexing a tensor costs more than a kernel of this size, so every cell is made beforehand.
        self.loss_cells: tuple[Tensor, ...] = self._block[:, 0].unbind()
        """For each row, where its loss goes; shape ()."""
        self.line_cells: tuple[Tensor, ...] = self._block[:, 1:].unbind()
        """For each row, where its slope and intercept go; shape (2,)."""

    @property
    def is_on_cpu(self) -> bool:
        return self._block.device.type == "cpu"

    def take(self, num_rows: int) -> NDArray[np.float32]:
        """Copy the first rows off the device; shape (num_rows, 3): loss, slope, intercept."""
        copy: NDArray[np.float32] = self._block[:num_rows].cpu().numpy().copy()
        return copy


class LineReader:
    """Reads the line that a model stands for at this moment, without leaving the device."""

    def __init__(self, model: nn.Module, x: Tensor) -> None:
        """`x` are all inputs of the run, shape (num_samples, 1)."""
        self._projection: Tensor | None = None
        self._parameters: tuple[Tensor, ...] = ()
        if isinstance(model, SimpleNN):
            self._parameters = (model.layer.weight.detach().view(1), model.layer.bias.detach())
        else:
            self._projection = line_projection(x)

    @property
    def needs_predictions(self) -> bool:
        """Whether the model has no slope of its own, but only that of its predictions."""
        return self._projection is not None

    def read(self, predictions: Tensor | None, cell: Tensor) -> None:
        """Write (slope, intercept) into `cell`, shape (2,).

        `predictions` for all inputs, shape (num_samples, 1), may be None unless they are needed.
        """
        if self._projection is None:
            torch.cat(self._parameters, out=cell)
        else:
            assert predictions is not None
            torch.mv(self._projection, predictions.flatten(), out=cell)
