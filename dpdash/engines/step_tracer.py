"""Takes one step of a run apart, on a copy: the training itself is never touched."""

import copy
from collections.abc import Iterable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn, optim

from dpdash.config import RunConfig
from dpdash.engines.epochs import GradientStep
from dpdash.engines.instruments import Instruments
from dpdash.engines.placement import Placement
from dpdash.engines.setup import batch_size
from dpdash.engines.stopwatch import Stopwatch
from dpdash.problem.batches import draw_order
from dpdash.problem.data import Data
from dpdash.problem.gradient import flat_gradient, full_gradient
from dpdash.problem.model import build_optimizer
from dpdash.sharding import shard_sizes
from dpdash.steps import MOST_LISTED_PARAMETERS, MOST_LISTED_SAMPLES, ReplicaStep, StepTrace

CPU = torch.device("cpu")


class StepTracer:
    """Traces the next step of a run whenever that is asked for; until then it costs nothing."""

    def __init__(self, config: RunConfig, data: Data, model: nn.Module, placement: Placement) -> None:
        """`data` and `model` are the training's own; they are read and never written to."""
        self._config, self._data, self._model, self._placement = config, data, model, placement

    def trace(self, optimizer: optim.Optimizer, *, named: bool = False) -> StepTrace:
        """Do the first step of the coming epoch on a copy, and say what came of it.

        When `named`, `torch.profiler` sees each phase by its name.
        """
        order = self._order()
        x, y = self._batch(order)
        model = copy.deepcopy(self._model)
        own = build_optimizer(self._config, model, self._placement.device)
        # What is loaded is not copied, and a fused update would write into the training's own state.
        own.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        distribute = self._placement.distribute
        with nullcontext(model) if distribute is None else distribute(model) as distributed:
            step = GradientStep(distributed, own, len(y), self._placement.device)
            self._warm_up(step, model, x, y)
            traced = _TracedStep(Stopwatch(self._lanes(), named=named), model, own)
            traced.run(distributed, step, x, y)
        return self._told(traced, full_gradient(self._model, x, y), order)

    def _order(self) -> Tensor | None:
        """The samples of the step by their numbers, shape (num_samples,); None where it has all of them."""
        size = self._config.global_batch_size
        if size is None:
            return None
        generator = torch.Generator()
        generator.set_state(self._data.generator.get_state())
        return draw_order(self._config.samples, generator, CPU)[:size]

    def _batch(self, order: Tensor | None) -> tuple[Tensor, Tensor]:
        if order is None:
            return self._data.x, self._data.y
        order = order.to(self._placement.device)
        return self._data.x[order], self._data.y[order]

    def _lanes(self) -> tuple[torch.device, ...]:
        device = self._placement.device
        names = self._placement.names
        return tuple(torch.device("cuda", lane) if device.type == "cuda" else device for lane in range(len(names)))

    def _warm_up(self, step: GradientStep, model: nn.Module, x: Tensor, y: Tensor) -> None:
        """Do the step once, because the first one also starts threads and finds memory, and undo what it did.

        The optimizer keeps what it remembers of it: that changes its update, at which nobody looks, not its time.
        """
        step.update(step.predict(x), y)
        with torch.no_grad():
            for parameter, before in zip(model.parameters(), self._model.parameters(), strict=True):
                parameter.copy_(before)

    def _told(self, traced: "_TracedStep", exact: Tensor, order: Tensor | None) -> StepTrace:
        gradient = flat_gradient(list(traced.model.parameters())).double()
        listed = _listed(len(exact))
        difference, largest = float((gradient - exact).abs().max()), float(exact.abs().max())
        return StepTrace(
            engine=self._config.engine.value,
            emulated=self._placement.emulated,
            num_samples=batch_size(self._config),
            parameters=tuple(_names(self._model, listed)),
            num_parameters=len(exact),
            replicas=self._replicas(traced, listed, order),
            gradient=_numbers(gradient[listed]),
            full_gradient=_numbers(exact[listed]),
            residual=difference / largest if largest else difference,
            spans=traced.stopwatch.spans(),
            seconds=traced.stopwatch.seconds,
        )

    def _replicas(self, traced: "_TracedStep", listed: list[int], order: Tensor | None) -> tuple[ReplicaStep, ...]:
        sizes = shard_sizes(batch_size(self._config), len(self._placement.names))
        moved = traced.moved_bytes(len(sizes))
        replicas = []
        begin = 0
        for lane, (name, size) in enumerate(zip(self._placement.names, sizes, strict=True)):
            weight = size / sum(sizes)
            received, sent = moved[lane]
            replicas.append(
                ReplicaStep(
                    device=name,
                    shard_size=size,
                    samples=_thinned(begin, size, order),
                    weight=weight,
                    gradient=traced.shard_gradient(lane, listed, weight),
                    received_bytes=received,
                    sent_bytes=sent,
                    memory_bytes=traced.memory_bytes(lane, self._lanes()[lane]),
                )
            )
            begin += size
        return tuple(replicas)


class _TracedStep:
    """One step that is watched."""

    def __init__(self, stopwatch: Stopwatch, model: nn.Module, optimizer: optim.Optimizer) -> None:
        self.stopwatch, self.model, self._optimizer = stopwatch, model, optimizer
        self._after_forward: dict[int, list[Tensor]] = {}

    def run(self, distributed: nn.Module, step: GradientStep, x: Tensor, y: Tensor) -> None:
        """Do the step; shapes (num_samples, 1)."""
        self._seen = Instruments(self.stopwatch, self.model, distributed, step, self._optimizer)
        if x.is_cuda:
            for device in range(torch.cuda.device_count()):
                torch.cuda.reset_peak_memory_stats(device)
        self.stopwatch.start()
        outputs = step.predict(x)
        self.stopwatch.pause()
        self._seen.watch_backward(outputs)
        self._first = [x, y, outputs, *self.model.parameters(), *_state_of(self._optimizer)]
        self.stopwatch.start()
        step.update(outputs, y)
        self.stopwatch.pause()

    def shard_gradient(self, lane: int, listed: list[int], weight: float) -> tuple[float, ...]:
        """The gradient of the mean loss of a replica's own shard; zeros for an idle one.

        What autograd leaves on a replica carries the weight of its shard already, because the loss is a mean over
        the whole batch.
        """
        if not weight:
            return (0.0,) * len(listed)
        return _numbers(flat_gradient(self._parameters_of(lane))[listed].double() / weight)

    def moved_bytes(self, num_replicas: int) -> list[tuple[int, int]]:
        """What came to each replica's device and what left it, by the sizes of the very tensors.

        To a replica go its shard, the parameters and the gradient of its outputs; from it come outputs and
        gradients. The first device is the other end of all of that.
        """
        parameters = _size_of(self.model.parameters())
        moved = [(0, 0)] * num_replicas
        for lane in range(1, len(self._seen.copies)):
            outputs = self._seen.outputs[lane].nbytes
            moved[lane] = (self._seen.shards[lane].nbytes + parameters + outputs, outputs + parameters)
        moved[0] = (sum(sent for _received, sent in moved), sum(received for received, _sent in moved))
        return moved

    def memory_bytes(self, lane: int, device: torch.device) -> int:
        """Most memory of the step on a device, without the copy that it was traced on.

        A GPU tells it. On the CPU, where all lanes share one memory, it is that of the tensors which the step is
        known to hold there, at the fuller of two moments: after forward and after backward.
        """
        first = self._first if lane == 0 else []
        if device.type == "cuda":
            doubled = [] if lane else [*self.model.parameters(), *_state_of(self._optimizer)]
            return torch.cuda.max_memory_allocated(device) - _size_of(doubled)
        if lane not in self._seen.outputs:
            return _size_of(first)
        parameters = self._parameters_of(lane)
        kept = [self._seen.shards[lane], self._seen.outputs[lane], *self._seen.saved[lane]]
        updated = [] if lane else list(self.model.parameters())
        gradients = [tensor.grad for tensor in (*parameters, *updated) if tensor.grad is not None]
        return max(_size_of([*first, *parameters, *kept]), _size_of([*first, *parameters, *gradients]))

    def _parameters_of(self, lane: int) -> list[Tensor]:
        return self._seen.copies[lane] if self._seen.copies else list(self.model.parameters())


def _state_of(optimizer: optim.Optimizer) -> list[Tensor]:
    return [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]


def _size_of(tensors: Iterable[Tensor]) -> int:
    """Bytes of tensors, each memory once: a view of a tensor takes none of its own."""
    sizes: dict[int, int] = {}
    for tensor in tensors:
        sizes[tensor.data_ptr()] = max(tensor.nbytes, sizes.get(tensor.data_ptr(), 0))
    return sum(sizes.values())


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
