"""The step that a run does next, on a copy: what a tracer watches, and how it is told then."""

import copy
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim

from dpdash.core.config import RunConfig
from dpdash.core.sharding import shard_sizes
from dpdash.core.steps import (
    MOST_LISTED_PARAMETERS,
    MOST_LISTED_SAMPLES,
    OneStep,
    ReplicaStep,
    StepTimes,
    StepTrace,
)
from dpdash.problem.batches import draw_order
from dpdash.problem.data import Data
from dpdash.problem.gradient import flat_gradient, full_gradient
from dpdash.problem.model import build_optimizer
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.loop.placement import Placement
from dpdash.training.loop.setup import batch_size

CPU = torch.device("cpu")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Share:
    """What one replica made of its shard, and what that took; see `ReplicaStep`."""

    gradient: tuple[float, ...]
    received_bytes: int
    sent_bytes: int
    memory_bytes: int | None


class NextStep:
    """The first step of the coming epoch, with a model and an optimizer that are copies of the training's."""

    def __init__(
        self, config: RunConfig, data: Data, model: nn.Module, placement: Placement, optimizer: optim.Optimizer
    ) -> None:
        """`data`, `model` and `optimizer` are the training's own; they are read and never written to."""
        self._config, self._placement, self._original = config, placement, model
        self._order = _order(config, data)
        self.x, self.y = data.x, data.y
        if self._order is not None:
            order = self._order.to(placement.device)
            self.x, self.y = data.x[order], data.y[order]
        self.model = copy.deepcopy(model)
        self.optimizer = build_optimizer(config, self.model, placement.device)
        # What is loaded is not copied, and a fused update would write into the training's own state.
        self.optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        self.sizes = shard_sizes(batch_size(config), len(placement.names))
        """Samples of each replica's shard."""
        self._num_parameters = sum(parameter.numel() for parameter in model.parameters())
        self._listed = _listed(self._num_parameters)

    def weight(self, lane: int) -> float:
        """A replica's share of the batch."""
        return self.sizes[lane] / sum(self.sizes)

    def do(self, step: GradientStep) -> None:
        """Do the step once, and undo what it did."""
        step.train(self.x, self.y)
        self.undo()

    def seconds_of(self, step: GradientStep) -> float:
        """What the step takes when nobody watches: it begins and ends with nothing left to do on any device."""
        self._wait()
        began = time.perf_counter()
        step.train(self.x, self.y)
        self._wait()
        seconds = time.perf_counter() - began
        self.undo()
        return seconds

    def undo(self) -> None:
        """Give the model the training's parameters again.

        The optimizer keeps what it remembers of the step: that changes its update, at which nobody looks, not its
        time.
        """
        with torch.no_grad():
            for parameter, before in zip(self.model.parameters(), self._original.parameters(), strict=True):
                parameter.copy_(before)

    def held(self) -> list[Tensor]:
        """What a device holds that has the batch and updates the model."""
        return [self.x, self.y, *self.doubled()]

    def doubled(self) -> list[Tensor]:
        """What is there once more, because the step is done on a copy."""
        states = self.optimizer.state.values()
        kept = [value for state in states for value in state.values() if isinstance(value, Tensor)]
        return [*self.model.parameters(), *kept]

    def gradients(self) -> list[Tensor]:
        """What the last step has left on the parameters."""
        return [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]

    def listed_gradient(self, flat: Tensor, divisor: float) -> tuple[float, ...]:
        """The listed numbers of a gradient of shape (num_parameters,), divided."""
        return _numbers(flat[self._listed].double() / divisor)

    def no_gradient(self) -> tuple[float, ...]:
        """What is listed for an idle replica."""
        return (0.0,) * len(self._listed)

    def told(self, shares: Sequence[Share], shown: OneStep, times: StepTimes) -> StepTrace:
        """The step, once it is done: what its optimizer was given stands beside what float64 says.

        `shown` is the one of many that is drawn, and `times` is what all of them took.
        """
        exact = full_gradient(self._original, self.x, self.y)
        gradient = flat_gradient(list(self.model.parameters())).double()
        difference, largest = float((gradient - exact).abs().max()), float(exact.abs().max())
        return StepTrace(
            engine=self._config.engine.value,
            emulated=self._placement.emulated,
            num_samples=batch_size(self._config),
            parameters=tuple(_names(self._original, self._listed)),
            num_parameters=self._num_parameters,
            replicas=self._replicas(shares),
            gradient=_numbers(gradient[self._listed]),
            full_gradient=_numbers(exact[self._listed]),
            residual=difference / largest if largest else difference,
            spans=shown.spans,
            seconds=shown.seconds,
            is_memory_counted=self._placement.device.type != "cuda",
            times=times,
        )

    def _wait(self) -> None:
        if self._placement.device.type == "cuda":
            for device in range(torch.cuda.device_count()):
                torch.cuda.synchronize(device)

    def _replicas(self, shares: Sequence[Share]) -> tuple[ReplicaStep, ...]:
        replicas = []
        begin = 0
        for lane, (name, size, share) in enumerate(zip(self._placement.names, self.sizes, shares, strict=True)):
            replicas.append(
                ReplicaStep(
                    device=name,
                    shard_size=size,
                    samples=_thinned(begin, size, self._order),
                    weight=self.weight(lane),
                    gradient=share.gradient,
                    received_bytes=share.received_bytes,
                    sent_bytes=share.sent_bytes,
                    memory_bytes=share.memory_bytes,
                )
            )
            begin += size
        return tuple(replicas)


def logged(tell: Callable[[], StepTrace | None]) -> StepTrace | None:
    """What is told; None, and a line in the log, where that fails: it is none of the run's failures."""
    try:
        return tell()
    except Exception:
        _log.warning("The step could not be traced.", exc_info=True)
        return None


def size_of(tensors: Iterable[Tensor]) -> int:
    """Bytes of tensors, each memory once: a view of a tensor takes none of its own."""
    sizes: dict[int, int] = {}
    for tensor in tensors:
        sizes[tensor.data_ptr()] = max(tensor.nbytes, sizes.get(tensor.data_ptr(), 0))
    return sum(sizes.values())


def _order(config: RunConfig, data: Data) -> Tensor | None:
    """The samples of the step by their numbers, shape (num_samples,); None where it has all of them."""
    size = config.global_batch_size
    if size is None:
        return None
    generator = torch.Generator()
    generator.set_state(data.generator.get_state())
    return draw_order(config.samples, generator, CPU)[:size]


def _listed(num_parameters: int) -> list[int]:
    """Places of the parameters to list: the first, the last, and some evenly between."""
    count = min(num_parameters, MOST_LISTED_PARAMETERS)
    return [place * (num_parameters - 1) // max(count - 1, 1) for place in range(count)]


def _names(model: nn.Module, listed: Sequence[int]) -> Iterable[str]:
    begin = 0
    for name, parameter in model.named_parameters():
        end = begin + parameter.numel()
        for place in listed:
            if begin <= place < end:
                yield name if parameter.numel() == 1 else f"{name}[{place - begin}]"
        begin = end


def _thinned(begin: int, size: int, order: Tensor | None) -> tuple[int, ...]:
    count = min(size, MOST_LISTED_SAMPLES)
    places = [begin + place * size // count for place in range(count)]
    return tuple(places) if order is None else tuple(order[places].tolist())


def _numbers(values: Tensor) -> tuple[float, ...]:
    return tuple(values.tolist())
