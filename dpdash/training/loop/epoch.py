"""How one epoch is trained: all data at once, or in shuffled batches."""

from collections.abc import Iterable
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn, optim

from dpdash.core.optimum import Moments
from dpdash.training.loop.rows import LineReader, Rows

PREDICTED_AT_ONCE: Final = 8_192
"""Samples that an MLP predicts at once when it is looked at between updates: bounds the memory of wide layers."""


class GradientStep:
    """One update of a model on one batch under the mean squared error, in memory that is used again.

    The gradient of the error with respect to the outputs, 2(ŷ − y)/n, is computed here and handed to autograd:
    that is what `nn.MSELoss` does, with fewer passes over memory. Measured in docs/adr/0002-training-loop.md.
    """

    def __init__(
        self, model: nn.Module, optimizer: optim.Optimizer, max_samples: int, device: torch.device
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._buffer = torch.empty(max_samples, 1, device=device)
        self._gradient = self._buffer

    def predict(self, x: Tensor) -> Tensor:
        """The training forward: outputs with their graph, shape (num_samples, 1)."""
        return self._model(x)  # type: ignore[no-any-return]

    def update(self, outputs: Tensor, y: Tensor) -> None:
        """Go backward from the outputs and let the optimizer take its step. Shapes: (num_samples, 1)."""
        gradient = self.loss_gradient(outputs, y)
        for parameter in self._parameters:
            parameter.grad = None  # optimizer.zero_grad() without its bookkeeping, which takes a tenth of an epoch
        torch.autograd.backward(outputs, gradient)
        self._optimizer.step()

    def train(self, x: Tensor, y: Tensor) -> None:
        """Forward and update on a batch, shapes (num_samples, 1)."""
        self.update(self.predict(x), y)

    def loss_gradient(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The gradient of the error with respect to the outputs, in memory that the next step uses again."""
        return self.scaled_error(outputs, y, y.shape[0])

    def scaled_error(self, outputs: Tensor, y: Tensor, divisor: float) -> Tensor:
        """The gradient of the sum of the squares divided by `divisor`."""
        num_samples = y.shape[0]
        gradient = self._buffer if num_samples == self._buffer.shape[0] else self._buffer[:num_samples]
        torch.sub(outputs.detach(), y, out=gradient)
        self._gradient = gradient.mul_(2 / divisor)
        return self._gradient

    def full_batch(self, x: Tensor, y: Tensor, observer: "Observer", rows: Rows) -> "EpochTrainer":
        """Trains epochs of one such update on all the data."""
        return FullBatch(self, x, y, observer.line, rows)

    def write_squares(self, cell: Tensor) -> None:
        """Write the sum of the squared gradient of the last update into `cell`, and spend the gradient.

        The mean squared error is that sum times n/4. `torch.dot` would be one pass less, but it adds in plain
        order: at ten million samples its result is 8e-5 off.
        """
        torch.sum(self._gradient.square_(), dim=(0, 1), out=cell)


class Observer:
    """Looks at a model between updates, on one device."""

    def __init__(self, model: nn.Module, x: Tensor, y: Tensor) -> None:
        """`x` and `y` are all data of the run, shape (num_samples, 1), where the model is."""
        self._model, self._x, self._y = model, x, y
        self.line = LineReader(model, x)

    def observe(self, line_cell: Tensor, loss_cell: Tensor | None = None) -> None:
        """Write slope and intercept, shape (2,), and the loss, shape (), where it does not follow from them."""
        if not self.line.needs_predictions:
            self.line.read(None, line_cell)
            return
        predictions = self._predictions()
        self.line.read(predictions, line_cell)
        if loss_cell is not None:
            loss_cell.copy_(nn.functional.mse_loss(predictions, self._y))

    def _predictions(self) -> Tensor:
        with torch.no_grad():
            return torch.cat([self._model(part) for part in torch.split(self._x, PREDICTED_AT_ONCE)])

    def line_now(self) -> tuple[float, float]:
        """Slope and intercept; waits for the device."""
        cell = self._x.new_empty(2)
        self.observe(cell)
        slope, intercept = cell.tolist()
        return slope, intercept


class EpochTrainer(Protocol):
    """Trains one epoch and writes its row."""

    def train(self, row: int) -> None:
        """Write the line before the epoch and what its loss is computed from into a row, and train the epoch."""

    def losses(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The losses, shape (num_rows,), of rows that were taken off the device, shape (num_rows, 3)."""


class FullBatch:
    """One update on all the data. The loss of the row is that of the training forward itself."""

    def __init__(self, step: GradientStep, x: Tensor, y: Tensor, line: LineReader, rows: Rows) -> None:
        self._step, self._x, self._y = step, x, y
        self._line, self._rows = line, rows

    def train(self, row: int) -> None:
        outputs = self._step.predict(self._x)
        self._line.read(outputs.detach(), self._rows.line_cells[row])
        self._step.update(outputs, self._y)
        self._step.write_squares(self._rows.loss_cells[row])

    def losses(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        # The squares are those of the gradient, 2(ŷ − y)/n.
        with np.errstate(over="ignore"):
            return rows[:, 0] * np.float32(len(self._x) / 4)


class BatchedPass:
    """One update on each batch of a pass.

    The row is about all data at the start of the epoch, so that epochs can be compared with each other: for a
    straight line the loss follows from slope and intercept, an MLP predicts all data once more.
    """

    def __init__(
        self,
        step: GradientStep,
        batches: Iterable[tuple[Tensor, Tensor]],
        observer: Observer,
        moments: Moments,
        rows: Rows,
    ) -> None:
        """Iterating over `batches` is one pass over the data."""
        self._step, self._batches, self._observer = step, batches, observer
        self._moments, self._rows = moments, rows

    def train(self, row: int) -> None:
        self._observer.observe(self._rows.line_cells[row], self._rows.loss_cells[row])
        for x, y in self._batches:
            self._step.train(x, y)

    def losses(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._observer.line.needs_predictions:
            return rows[:, 0]
        with np.errstate(over="ignore"):
            return self._moments.loss_at(rows[:, 1], rows[:, 2]).astype(np.float32)
