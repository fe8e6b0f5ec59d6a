"""Takes one step of a run apart, on a copy: the training itself is never touched."""

import torch
from torch import Tensor, nn, optim

from dpdash.core.config import RunConfig
from dpdash.core.steps import StepTrace
from dpdash.problem.data import Data
from dpdash.problem.gradient import flat_gradient
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.loop.placement import Placement
from dpdash.training.trace.instruments import Instruments
from dpdash.training.trace.next_step import NextStep, Share, logged, size_of
from dpdash.training.trace.stopwatch import Stopwatch


class StepTracer:
    """Traces the next step of a run whenever that is asked for; until then it costs nothing."""

    def __init__(self, config: RunConfig, data: Data, model: nn.Module, placement: Placement) -> None:
        """`data` and `model` are the training's own; they are read and never written to."""
        self._config, self._data, self._model, self._placement = config, data, model, placement

    def attempt(self, optimizer: optim.Optimizer) -> StepTrace | None:
        """See `trace`; None where it fails, of which the log tells more."""
        return logged(lambda: self.trace(optimizer))

    def trace(self, optimizer: optim.Optimizer, *, named: bool = False) -> StepTrace:
        """Do the first step of the coming epoch on a copy, and say what came of it.

        When `named`, `torch.profiler` sees each phase by its name.
        """
        coming = NextStep(self._config, self._data, self._model, self._placement, optimizer)
        with self._placement.distribute(coming.model) as distributed:
            step = self._placement.step(distributed, coming.optimizer, len(coming.y))
            coming.warm_up(step)
            traced = _TracedStep(Stopwatch(self._lanes(), named=named), coming)
            traced.run(distributed, step)
        return coming.told(traced.shares(self._lanes()), traced.stopwatch.spans(), traced.stopwatch.seconds)

    def _lanes(self) -> tuple[torch.device, ...]:
        device = self._placement.device
        names = self._placement.names
        return tuple(torch.device("cuda", lane) if device.type == "cuda" else device for lane in range(len(names)))


class _TracedStep:
    """One step that is watched."""

    def __init__(self, stopwatch: Stopwatch, coming: NextStep) -> None:
        self.stopwatch, self._coming, self._model = stopwatch, coming, coming.model

    def run(self, distributed: nn.Module, step: GradientStep) -> None:
        """Do the step."""
        x, y = self._coming.x, self._coming.y
        self._seen = Instruments(self.stopwatch, self._model, distributed, step, self._coming.optimizer)
        if x.is_cuda:
            for device in range(torch.cuda.device_count()):
                torch.cuda.reset_peak_memory_stats(device)
        self.stopwatch.start()
        outputs = step.predict(x)
        self.stopwatch.pause()
        self._seen.watch_backward(outputs)
        self._first = [outputs, *self._coming.held()]
        self.stopwatch.start()
        step.update(outputs, y)
        self.stopwatch.pause()
        self._seen.leave_backward()

    def shares(self, lanes: tuple[torch.device, ...]) -> list[Share]:
        """What each replica made, once the step is done; `lanes` are their devices."""
        moved = self._moved_bytes(len(lanes))
        return [
            Share(self._shard_gradient(lane), *moved[lane], self._memory_bytes(lane, device))
            for lane, device in enumerate(lanes)
        ]

    def _shard_gradient(self, lane: int) -> tuple[float, ...]:
        """The gradient of the mean loss of a replica's own shard; zeros for an idle one.

        What autograd leaves on a replica carries the weight of its shard already, because the loss is a mean over
        the whole batch.
        """
        weight = self._coming.weight(lane)
        if not weight:
            return self._coming.no_gradient()
        return self._coming.listed_gradient(flat_gradient(self._parameters_of(lane)), weight)

    def _moved_bytes(self, num_replicas: int) -> list[tuple[int, int]]:
        """What came to each replica's device and what left it, by the sizes of the very tensors.

        To a replica go its shard, the parameters and the gradient of its outputs; from it come outputs and
        gradients. The first device is the other end of all of that.
        """
        parameters = size_of(self._model.parameters())
        moved = [(0, 0)] * num_replicas
        for lane in range(1, len(self._seen.copies)):
            outputs = self._seen.outputs[lane].nbytes
            moved[lane] = (self._seen.shards[lane].nbytes + parameters + outputs, outputs + parameters)
        moved[0] = (sum(sent for _received, sent in moved), sum(received for received, _sent in moved))
        return moved

    def _memory_bytes(self, lane: int, device: torch.device) -> int:
        """Most memory of the step on a device, without the copy that it was traced on.

        A GPU tells it. On the CPU, where all lanes share one memory, it is that of the tensors which the step is
        known to hold there, at the fuller of two moments: after forward and after backward.
        """
        first = self._first if lane == 0 else []
        if device.type == "cuda":
            doubled = [] if lane else self._coming.doubled()
            return torch.cuda.max_memory_allocated(device) - size_of(doubled)
        if lane not in self._seen.outputs:
            return size_of(first)
        parameters = self._parameters_of(lane)
        kept = [self._seen.shards[lane], self._seen.outputs[lane], *self._seen.saved[lane]]
        updated = [] if lane else list(self._model.parameters())
        gradients = [tensor.grad for tensor in (*parameters, *updated) if tensor.grad is not None]
        return max(size_of([*first, *parameters, *kept]), size_of([*first, *parameters, *gradients]))

    def _parameters_of(self, lane: int) -> list[Tensor]:
        return self._seen.copies[lane] if self._seen.copies else list(self._model.parameters())
