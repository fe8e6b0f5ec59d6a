"""Takes one step of a run apart, on a copy: the training itself is never touched."""

from collections import Counter

import torch
from torch import Tensor, nn, optim

from dpdash.core.config import RunConfig
from dpdash.core.steps import OneStep, Phase, StepTrace, nearest_to_median, step_times
from dpdash.problem.data import Data
from dpdash.problem.gradient import flat_gradient
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.loop.placement import Placement
from dpdash.training.trace.instruments import Instruments, mark_seconds, nodes_behind, saved_by
from dpdash.training.trace.next_step import NextStep, Share, logged, size_of
from dpdash.training.trace.stopwatch import Stopwatch
from dpdash.training.trace.turns import Wish, in_turns, warm_up


class StepTracer:
    """Traces the next step of a run whenever that is asked for; until then it costs nothing."""

    def __init__(self, config: RunConfig, data: Data, model: nn.Module, placement: Placement) -> None:
        """`data` and `model` are the training's own; they are read and never written to."""
        self._config, self._data, self._model, self._placement = config, data, model, placement

    def attempt(self, optimizer: optim.Optimizer, wish: Wish) -> StepTrace | None:
        """See `trace`; None also where it fails, of which the log tells more."""
        return logged(lambda: self.trace(optimizer, wish))

    def trace(self, optimizer: optim.Optimizer, wish: Wish) -> StepTrace | None:
        """Do the first step of the coming epoch on a copy, many times over, and say what came of it.

        None where that would take longer than is wished.
        """
        coming = NextStep(self._config, self._data, self._model, self._placement, optimizer)
        with self._placement.distribute(coming.model) as distributed:
            step = self._placement.step(distributed, coming.optimizer, len(coming.y))
            if not warm_up(lambda: coming.seconds_of(step), wish, self._placement.agree):
                return None
            watched = _WatchedStep(coming, distributed, step, self._lanes())
            shares = watched.shares()
            steps, untraced = in_turns(watched.timed, lambda: coming.seconds_of(step), wish, self._placement.agree)
        each = mark_seconds(self._placement.device)
        marks = {phase: num * each for phase, num in watched.num_readings.items()}
        return coming.told(shares, nearest_to_median(steps), step_times(steps, untraced, marks))

    def profiled(self, optimizer: optim.Optimizer) -> None:
        """Do that step once, warm, while `torch.profiler` sees each phase by its name."""
        coming = NextStep(self._config, self._data, self._model, self._placement, optimizer)
        with self._placement.distribute(coming.model) as distributed:
            step = self._placement.step(distributed, coming.optimizer, len(coming.y))
            coming.do(step)
            _WatchedStep(coming, distributed, step, self._lanes()).run(Stopwatch(self._lanes(), named=True))

    def _lanes(self) -> tuple[torch.device, ...]:
        device = self._placement.device
        names = self._placement.names
        return tuple(torch.device("cuda", lane) if device.type == "cuda" else device for lane in range(len(names)))


class _WatchedStep:
    """A step that is watched."""

    def __init__(
        self, coming: NextStep, distributed: nn.Module, step: GradientStep, lanes: tuple[torch.device, ...]
    ) -> None:
        """`lanes` are the devices of the replicas."""
        self._coming, self._distributed, self._step, self._lanes = coming, distributed, step, lanes
        self.num_readings: Counter[Phase] = Counter()
        """How often each phase was noted in the step that was timed last."""

    def timed(self) -> OneStep:
        """Do the step, and say when each phase ran."""
        stopwatch = Stopwatch(self._lanes)
        self.run(stopwatch)
        self.num_readings = stopwatch.num_readings()
        return stopwatch.step()

    def run(self, stopwatch: Stopwatch) -> None:
        """Do the step by a stopwatch, and undo what it did."""
        coming, step = self._coming, self._step
        instruments = self._instruments(stopwatch)
        stopwatch.start()
        outputs = step.predict(coming.x)
        stopwatch.pause()
        instruments.watch_backward(outputs)
        stopwatch.start()
        step.update(outputs, coming.y)
        stopwatch.pause()
        instruments.leave()
        coming.undo()

    def shares(self) -> list[Share]:
        """What each replica makes and holds in the step, which nobody times meanwhile."""
        coming, step = self._coming, self._step
        stopwatch = Stopwatch(self._lanes)
        if coming.x.is_cuda:
            for device in range(torch.cuda.device_count()):
                torch.cuda.reset_peak_memory_stats(device)
        instruments = self._instruments(stopwatch)
        stopwatch.start()
        outputs = step.predict(coming.x)
        looked = _Looked(coming, instruments, outputs)
        step.update(outputs, coming.y)
        instruments.leave()
        shares = looked.shares(self._lanes)
        coming.undo()
        return shares

    def _instruments(self, stopwatch: Stopwatch) -> Instruments:
        coming = self._coming
        return Instruments(stopwatch, coming.model, self._distributed, self._step, coming.optimizer)


class _Looked:
    """What is found in a step between its forward and its backward, and is asked for after it."""

    def __init__(self, coming: NextStep, instruments: Instruments, outputs: Tensor) -> None:
        self._coming, self._model, self._seen = coming, coming.model, instruments
        self._copies = instruments.copies
        for copies in self._copies:
            for copy in copies:
                copy.retain_grad()
        reduced = [copy.grad_fn for copies in self._copies for copy in copies if copy.grad_fn is not None]
        seen = nodes_behind(reduced, ())
        self._saved: dict[int, list[Tensor]] = {}
        """What each lane keeps for the way back."""
        for lane, output in instruments.outputs.items():
            nodes = nodes_behind([output.grad_fn], seen)
            seen |= nodes
            self._saved[lane] = [tensor for node in nodes for tensor in saved_by(node)]
        self._first = [outputs, *coming.held()]

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
        for lane in range(1, len(self._copies)):
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
        kept = [self._seen.shards[lane], self._seen.outputs[lane], *self._saved[lane]]
        updated = [] if lane else list(self._model.parameters())
        gradients = [tensor.grad for tensor in (*parameters, *updated) if tensor.grad is not None]
        return max(size_of([*first, *parameters, *kept]), size_of([*first, *parameters, *gradients]))

    def _parameters_of(self, lane: int) -> list[Tensor]:
        return self._copies[lane] if self._copies else list(self._model.parameters())
