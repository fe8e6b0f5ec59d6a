"""What a traced step is watched with: hooks on a copy of the model, so that the training's own model has none."""

from collections.abc import Callable, Collection, Iterable
from functools import reduce
from typing import Any, Final

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


class Instruments:
    """Watches one step of a model, from the call of its forward to the end of the optimizer's update.

    torch's own `DataParallel.forward` runs: its methods are timed where it calls them. A hook on the model is also
    its replicas', which are copies of the module, so each replica's forward is timed on its thread and device.
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
        self._model = model
        self._lanes: dict[int, int] = {}
        """The lane of a replica by the identity of its module."""
        self._ends: dict[int, Callable[[], None]] = {}
        self.copies: list[list[Tensor]] = []
        """Each replica's parameters; empty where the model itself runs."""
        self.shards: dict[int, Tensor] = {}
        self.outputs: dict[int, Tensor] = {}
        self.saved: dict[int, list[Tensor]] = {}
        """What each lane keeps for the way back."""
        self._hooks: list[RemovableHandle] = []
        if isinstance(distributed, nn.DataParallel):
            for name, phase in DATA_PARALLEL_PHASES.items():
                self._time(distributed, name, phase)
        self._time(step, "loss_gradient", Phase.LOSS)
        model.register_forward_pre_hook(self._forward_begins)
        model.register_forward_hook(self._forward_ends)
        optimizer.register_step_pre_hook(lambda *_: self._begin(Phase.OPTIMIZER, 0))
        optimizer.register_step_post_hook(lambda *_: self._ends.pop(0)())

    def watch_backward(self, result: Tensor) -> None:
        """Watch the way back from the outputs of all replicas; to be called between forward and backward."""
        for copies in self.copies:
            for copy in copies:
                copy.retain_grad()
        reduced = [copy.grad_fn for copies in self.copies for copy in copies if copy.grad_fn is not None]
        reduce_nodes = nodes_behind(reduced, ())
        seen = {*reduce_nodes}
        for node in reduce_nodes:
            self._time_node(node, Phase.REDUCE, 0)
        for lane, output in self.outputs.items():
            nodes = nodes_behind([output.grad_fn], seen)
            seen |= nodes
            self.saved[lane] = [tensor for node in nodes for tensor in saved_by(node)]
            for node in nodes:
                self._time_node(node, Phase.BACKWARD, lane)
        for node in nodes_behind([result.grad_fn], seen):
            self._time_node(node, Phase.BACKWARD, 0)

    def leave_backward(self) -> None:
        """Watch the way back no longer; to be called after it.

        An operation and what watches it hold each other, partly in C++ where no garbage collector sees it: a step
        would never leave the memory.
        """
        for hook in self._hooks:
            hook.remove()

    def _time(self, owner: object, name: str, phase: Phase) -> None:
        method = getattr(owner, name)

        def timed(*arguments: Any) -> Any:
            end = self._stopwatch.begin(phase, 0)
            returned = method(*arguments)
            end()
            if phase is Phase.REPLICATE:
                self._know(returned)
            return returned

        setattr(owner, name, timed)

    def _know(self, replicas: Iterable[nn.Module]) -> None:
        names = [name for name, _ in self._model.named_parameters()]
        for lane, replica in enumerate(replicas):
            self._lanes[id(replica)] = lane
            self.copies.append([reduce(getattr, name.split("."), replica) for name in names])  # type: ignore[misc]

    def _begin(self, phase: Phase, lane: int) -> None:
        self._ends[lane] = self._stopwatch.begin(phase, lane)

    def _forward_begins(self, module: nn.Module, inputs: tuple[Tensor]) -> None:
        self._begin(Phase.PARALLEL_APPLY, self._lanes.get(id(module), 0))

    def _forward_ends(self, module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        lane = self._lanes.get(id(module), 0)
        self._ends.pop(lane)()
        self.shards[lane], self.outputs[lane] = inputs[0], output

    def _time_node(self, node: Node, phase: Phase, lane: int) -> None:
        ends: list[Callable[[], None]] = []
        self._hooks += (
            node.register_prehook(lambda _grads: ends.append(self._stopwatch.begin(phase, lane))),
            node.register_hook(lambda _inputs, _outputs: ends.pop()()),
        )


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
