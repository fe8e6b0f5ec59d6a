"""Training of which each rank, a process, does the part of its own shard; DDP adds the gradients up."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn, optim
from torch.nn.parallel import DistributedDataParallel

from dpdash.core.optimum import Moments
from dpdash.core.sharding import shard_sizes
from dpdash.problem.projection import line_projection
from dpdash.training.ddp.shared_words import ControlWord
from dpdash.training.loop.epoch import BatchedPass, EpochTrainer, GradientStep, Observer
from dpdash.training.loop.rows import Rows

LEADER = 0
"""The rank that decides, and that says what the run does."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train a run together."""

    rank: int
    num_ranks: int
    word: ControlWord
    group: dist.ProcessGroup | None = None
    """The first of several ranks, where not all are meant."""

    @property
    def is_leader(self) -> bool:
        return self.rank == LEADER

    def shard(self, num_samples: int) -> slice:
        """Where this rank's shard of a batch stands in it; empty for an idle rank."""
        sizes = shard_sizes(num_samples, self.num_ranks)
        start = sum(sizes[: self.rank])
        return slice(start, start + sizes[self.rank])

    def parts(self, num_samples: int, num_micro_batches: int) -> list[slice]:
        """Where this rank's shard of each micro-batch stands in a batch; shards may be empty."""
        parts, begin = [], 0
        for size in filter(None, shard_sizes(num_samples, num_micro_batches)):
            shard = self.shard(size)
            parts.append(slice(begin + shard.start, begin + shard.stop))
            begin += size
        return parts

    def agree(self, wish: bool) -> bool:
        """What the leader wishes, in every rank. All ranks have to ask."""
        return bool(self.agree_on_number(wish))

    def agree_on_number(self, number: int) -> int:
        """What the leader says, in every rank. All ranks have to ask."""
        answer = self._told(number)
        dist.broadcast(answer, LEADER, group=self.group)
        return int(answer)

    def fewest(self, count: int) -> int:
        """The least of what the ranks count, in every rank, once all have asked: they go on together."""
        answer = self._told(count)
        dist.all_reduce(answer, dist.ReduceOp.MIN, group=self.group)
        return int(answer)

    def _told(self, number: int) -> Tensor:
        """A number where the ranks can exchange it."""
        device = "cuda" if dist.get_backend(self.group) == "nccl" else "cpu"
        return torch.tensor([number], dtype=torch.int64, device=device)


@dataclass(frozen=True, slots=True)
class Accumulation:
    """How a batch is cut into micro-batches, whose gradients are added up before the one update."""

    num_micro_batches: int = 1
    exchanges_each: bool = False
    """Whether the ranks exchange after each of them, as they would without `no_sync`; the sum is the same."""


class ShardStep(GradientStep):
    """One update on a batch, of which this rank works out the part of its shard.

    DDP adds the gradients of the ranks up and divides by their number, as if all shards were alike. Each shard is
    therefore weighted by its samples: its squares are divided by the samples of the whole batch, times the ranks.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: optim.Optimizer,
        max_samples: int,
        device: torch.device,
        ranks: Ranks,
        accumulation: Accumulation = Accumulation(),
    ) -> None:
        super().__init__(model, optimizer, max(shard_sizes(max_samples, ranks.num_ranks)), device)
        self.ranks = ranks
        self._accumulation = accumulation
        self.projection: Tensor | None = None
        """See `Carrier`, for all samples of the batch: shape (2, num_samples)."""

    def train(self, x: Tensor, y: Tensor) -> None:
        """See `GradientStep`; in micro-batches where that is wanted, with one exchange, after the last."""
        parts = self.ranks.parts(len(y), self._accumulation.num_micro_batches)
        for parameter in self._parameters:
            parameter.grad = None
        for number, part in enumerate(parts, start=1):
            is_exchanged = number == len(parts) or self._accumulation.exchanges_each
            with nullcontext() if is_exchanged else self._without_exchange():
                self._backward(x, y, part)
        self._optimizer.step()

    def _without_exchange(self) -> AbstractContextManager[None]:
        assert isinstance(self._model, DistributedDataParallel)
        return self._model.no_sync()

    def _backward(self, x: Tensor, y: Tensor, part: slice) -> None:
        carrier = self._model.module
        if isinstance(carrier, Carrier) and self.projection is not None:
            carrier.projection = self.projection[:, part]
        outputs = self._model(x[part])
        gradient = self.scaled_error(outputs, y[part], len(y) / self.ranks.num_ranks)
        torch.autograd.backward(outputs, gradient)

    def predict(self, x: Tensor) -> Tensor:
        """The training forward of this rank's shard of the batch x, shape (shard_size, 1)."""
        return super().predict(x[self.ranks.shard(x.shape[0])])

    def loss_gradient(self, outputs: Tensor, y: Tensor) -> Tensor:
        """See `GradientStep`; `outputs` are the shard's, and `y` is the whole batch's."""
        num_samples = y.shape[0]
        return self.scaled_error(outputs, y[self.ranks.shard(num_samples)], num_samples / self.ranks.num_ranks)

    def full_batch(self, x: Tensor, y: Tensor, observer: Observer, rows: Rows) -> EpochTrainer:
        """See `GradientStep`."""
        carrier = self._model.module
        if isinstance(carrier, Carrier):
            return CarriedFullBatch(self, carrier, x, y, rows)
        # No rank sees all predictions, but a straight line's loss follows from the line.
        return BatchedPass(self, [(x, y)], observer, Moments.of(x.cpu(), y.cpu()), rows)


class Carrier(nn.Module):
    """A model whose rows travel with its gradients: one all-reduce for both.

    To DDP the row is the gradient of one more parameter, which nothing updates.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.row = nn.Parameter(torch.zeros(3, device=next(model.parameters()).device))
        self.projection: Tensor | None = None
        """Turns the shard's predictions into its part of the line, shape (2, shard_size); without it, no rows."""

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for x; both have the shape (num_samples, 1)."""
        outputs: Tensor = _Carried.apply(self.model(x), self.row, self.projection)  # type: ignore[no-untyped-call]  # torch's
        return outputs


class _Carried(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, outputs: Tensor, row: Tensor, projection: Tensor | None) -> Tensor:
        ctx.save_for_backward(outputs, projection)
        return outputs.view_as(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        """The row has the sum of the squared gradient, and the shard's part of slope and intercept."""
        (gradient,) = gradients
        outputs, projection = ctx.saved_tensors
        if projection is None:
            return gradient, gradient.new_zeros(3), None
        line = torch.mv(projection, outputs.flatten())
        return gradient, torch.cat([gradient.square().sum().view(1), line]), None


class CarriedFullBatch:
    """One update on all the data; the row is that of the training forward itself, carried by the gradients."""

    def __init__(self, step: ShardStep, carrier: Carrier, x: Tensor, y: Tensor, rows: Rows) -> None:
        self._step, self._row, self._x, self._y = step, carrier.row, x, y
        self._num_ranks, self._rows = step.ranks.num_ranks, rows
        step.projection = line_projection(x)

    def train(self, row: int) -> None:
        self._step.train(self._x, self._y)
        mean = self._row.grad
        assert mean is not None
        self._rows.loss_cells[row].copy_(mean[0])
        torch.mul(mean[1:], self._num_ranks, out=self._rows.line_cells[row])

    def losses(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        # The squares are those of 2(ŷ − y) · ranks / n, and their sum is divided by the ranks.
        with np.errstate(over="ignore"):
            return rows[:, 0] * np.float32(len(self._x) / (4 * self._num_ranks))


class ShardedObserver(Observer):
    """Looks at a model between updates, each rank at its shard. All ranks have to look."""

    def __init__(self, model: nn.Module, x: Tensor, y: Tensor, ranks: Ranks) -> None:
        """`x` and `y` are all data of the run."""
        super().__init__(model, x, y)
        shard = ranks.shard(len(x))
        self._num_samples = len(x)
        self._x, self._y = x[shard], y[shard]
        self._projection = line_projection(x)[:, shard]
        self._group = ranks.group

    def observe(self, line_cell: Tensor, loss_cell: Tensor | None = None) -> None:
        """See `Observer`."""
        if not self.line.needs_predictions:
            super().observe(line_cell, loss_cell)
            return
        predictions = self._predictions()
        squares = (predictions - self._y).square_().sum().view(1)
        row = torch.cat([squares / self._num_samples, torch.mv(self._projection, predictions.flatten())])
        dist.all_reduce(row, group=self._group)
        line_cell.copy_(row[1:])
        if loss_cell is not None:
            loss_cell.copy_(row[0])
