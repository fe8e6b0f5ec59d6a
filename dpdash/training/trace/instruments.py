"""What a traced step is watched with: hooks on a copy of the model, so that the training's own model has none."""

import statistics
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import reduce
from typing import Any, Final

import torch
from torch import Tensor, nn, optim
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from dpdash.core.steps import Phase
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.trace.stopwatch import Stopwatch

DATA_PARALLEL_PHASES: Final = {
    "scatter": Phase.SCATTER,
    "replicate": Phase.REPLICATE,
    "gather": Phase.GATHER,
}
SAVED: Final = "_saved_"
"""What autograd keeps for the way back stands in a node's attributes of this beginning."""
NUM_TRIAL_NODES: Final = 16
NUM_TRIALS: Final = 7
"""What noting an operation takes is the median of so many comparisons over so many operations each."""


class Instruments:
    """Watches one step of a model, from the call of its forward to the end of the optimizer's update.

    torch's own `DataParallel.forward` runs: its methods are timed where it calls them. A hook on the model is also
    its replicas', which are copies of the module, so each replica's forward is timed on its thread and device.
    What is set here is removed by `leave`: the steps in between are not watched.
    """

    def __init__(
        self,
        stopwatch: Stopwatch,
        model: nn.Module,
        distributed: nn.Module,
        step: GradientStep,
        optimizer: optim.Optimizer,
    ) -> None:
        self._stopwatch = stopwatch
        self._names = [name for name, _ in model.named_parameters()]
        self._replicas: Sequence[nn.Module] = ()
        self._ends: dict[int, Callable[[], None]] = {}
        self.shards: dict[int, Tensor] = {}
        self.outputs: dict[int, Tensor] = {}
        self._timed: list[tuple[object, str]] = []
        if isinstance(distributed, nn.DataParallel):
            for name, phase in DATA_PARALLEL_PHASES.items():
                self._time(distributed, name, phase)
        self._time(step, "scaled_error", Phase.LOSS)
        self._hooks: list[RemovableHandle] = [
            model.register_forward_pre_hook(self._forward_begins),
            model.register_forward_hook(self._forward_ends),
            optimizer.register_step_pre_hook(lambda *_: self._begin(Phase.OPTIMIZER, 0)),
            optimizer.register_step_post_hook(lambda *_: self._ends.pop(0)()),
        ]

    @property
    def copies(self) -> list[list[Tensor]]:
        """Each replica's parameters, once its forward is done; empty where the model itself runs."""
        return [
            [reduce(getattr, name.split("."), replica) for name in self._names]  # type: ignore[misc]
            for replica in self._replicas
        ]

    def watch_backward(self, result: Tensor) -> None:
        """Watch the way back from the outputs of all replicas; to be called between forward and backward."""
        assert result.grad_fn is not None
        if not self._replicas:
            self._watch_whole(result.grad_fn)
            return
        reduced = [copy.grad_fn for copies in self.copies for copy in copies if copy.grad_fn is not None]
        seen = nodes_behind(reduced, ())
        self._hooks += time_nodes(self._stopwatch, seen, Phase.REDUCE, 0)
        for lane, output in self.outputs.items():
            nodes = nodes_behind([output.grad_fn], seen)
            seen |= nodes
            self._hooks += time_nodes(self._stopwatch, nodes, Phase.BACKWARD, lane)
        rest = nodes_behind([result.grad_fn], seen)
        self._hooks += time_nodes(self._stopwatch, rest, Phase.BACKWARD, 0)

    def leave(self) -> None:
        """Watch no longer; to be called after the step.

        An operation and what watches it hold each other, partly in C++ where no garbage collector sees it: a step
        would never leave the memory.
        """
        for hook in self._hooks:
            hook.remove()
        for owner, name in self._timed:
            delattr(owner, name)

    def _watch_whole(self, first: Node) -> None:
        """Time a way back that nobody shares: from its first operation to the last gradient that is there."""
        ends: list[Callable[[], None]] = []
        leaves = [node for node in nodes_behind([first], ()) if not node.next_functions]
        remaining = [len(leaves)]

        def one_more(_inputs: object, _outputs: object) -> None:
            remaining[0] -= 1
            if not remaining[0]:
                ends.pop()()

        begin = self._stopwatch.begin
        self._hooks.append(first.register_prehook(lambda _gradients: ends.append(begin(Phase.BACKWARD, 0))))
        self._hooks += [leaf.register_hook(one_more) for leaf in leaves]

    def _time(self, owner: object, name: str, phase: Phase) -> None:
        method, begin = getattr(owner, name), self._stopwatch.begin

        def timed(*arguments: Any) -> Any:
            end = begin(phase, 0)
            returned = method(*arguments)
            end()
            if phase is Phase.REPLICATE:
                self._replicas = returned
            return returned

        setattr(owner, name, timed)
        self._timed.append((owner, name))

    def _begin(self, phase: Phase, lane: int) -> None:
        self._ends[lane] = self._stopwatch.begin(phase, lane)

    def _lane_of(self, module: nn.Module) -> int:
        return self._replicas.index(module) if self._replicas else 0

    def _forward_begins(self, module: nn.Module, inputs: tuple[Tensor]) -> None:
        self._begin(Phase.PARALLEL_APPLY, self._lane_of(module))

    def _forward_ends(self, module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        lane = self._lane_of(module)
        self._ends.pop(lane)()
        self.shards[lane], self.outputs[lane] = inputs[0], output


def time_nodes(stopwatch: Stopwatch, nodes: Iterable[Node], phase: Phase, lane: int) -> list[RemovableHandle]:
    """Note when each of these operations of the way back begins and ends; the hooks are to be removed after it."""
    return [hook for node in nodes for hook in _time_node(stopwatch.begin, node, phase, lane)]


def _time_node(
    begin: Callable[[Phase, int], Callable[[], None]], node: Node, phase: Phase, lane: int
) -> tuple[RemovableHandle, RemovableHandle]:
    ends: list[Callable[[], None]] = []
    return (
        node.register_prehook(lambda _gradients: ends.append(begin(phase, lane))),
        node.register_hook(lambda _inputs, _outputs: ends.pop()()),
    )


def mark_seconds(device: torch.device) -> float:
    """What it takes on this machine to note one operation: a way back with hooks beside one without, in turns."""
    pairs = [(_trial(device, is_noted=True), _trial(device, is_noted=False)) for _ in range(NUM_TRIALS)]
    return max(0.0, statistics.median(noted - bare for noted, bare in pairs)) / NUM_TRIAL_NODES


def _trial(device: torch.device, *, is_noted: bool) -> float:
    result = torch.ones(1, device=device, requires_grad=True)
    nodes = []
    for _ in range(NUM_TRIAL_NODES):
        result = result.neg()
        nodes.append(result.grad_fn)
    stopwatch = Stopwatch((device,))
    stopwatch.start()
    noted = [node for node in nodes if node is not None] if is_noted else []
    hooks = time_nodes(stopwatch, noted, Phase.BACKWARD, 0)
    began = time.perf_counter()
    torch.autograd.backward(result)
    seconds = time.perf_counter() - began
    for hook in hooks:
        hook.remove()
    return seconds


def nodes_behind(roots: Iterable[Node | None], known: Collection[Node]) -> set[Node]:
    """The operations on the way back from the roots, without those that are known and what lies behind them."""
    found: set[Node] = set()
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found and node not in known:
            found.add(node)
            waiting += [behind for behind, _index in node.next_functions]
    return found


def saved_by(node: Node) -> Iterable[Tensor]:
    """What an operation keeps for the way back."""
    for name in dir(node):
        if name.startswith(SAVED):
            value = getattr(node, name)
            if isinstance(value, Tensor):
                yield value
