"""Takes one step of DDP apart, on copies: all ranks do it together, and the leader tells it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn, optim
from torch.nn.parallel import DistributedDataParallel

from dpdash.core.config import RunConfig
from dpdash.core.steps import Phase, Span, StepTrace
from dpdash.problem.data import Data
from dpdash.training.ddp.sharded import LEADER, Ranks
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.loop.placement import Placement
from dpdash.training.trace.instruments import Instruments, nodes_behind, saved_by
from dpdash.training.trace.next_step import NextStep, Share, logged, size_of
from dpdash.training.trace.stopwatch import Stopwatch

if TYPE_CHECKING:
    from torch._C._distributed_c10d import GradBucket  # a torch without torch.distributed has none

OF_A_SHARD: Final = (Phase.PARALLEL_APPLY, Phase.LOSS, Phase.BACKWARD)
"""What an idle rank does with no samples at all, and what is therefore not told of it."""


@dataclass(frozen=True, slots=True)
class _Watched:
    """What one rank saw of the step."""

    share: Share
    spans: tuple[Span, ...]
    began_at: float
    """By the clock that the processes share, in seconds."""
    seconds: float


class ShardTracer:
    """Traces the next step of a run of DDP: the leader when that is asked for, the other ranks along with it.

    What fails while all ranks are at it fails the run, because the others wait for the one that failed.
    """

    def __init__(
        self, config: RunConfig, data: Data, model: nn.Module, placement: Placement, ranks: Ranks
    ) -> None:
        """`data` and `model` are the training's own; they are read and never written to."""
        self._config, self._data, self._model, self._placement = config, data, model, placement
        self.ranks = ranks

    def attempt(self, optimizer: optim.Optimizer) -> StepTrace | None:
        """Have all ranks do the first step of the coming epoch on copies, and say what came of it.

        None where that cannot be told, of which the log tells more, and in every rank but the leader.
        """
        if not self.ranks.is_leader:
            return None
        self.ranks.word.ask_for_trace()
        coming, watched = self._together(optimizer)
        return logged(lambda: _told(coming, watched))

    def take_part(self, optimizer: optim.Optimizer) -> None:
        """Do this rank's part of a trace that the leader has asked for."""
        self._together(optimizer)

    def _together(self, optimizer: optim.Optimizer) -> tuple[NextStep, list[_Watched]]:
        """The step, once it is done, and what each rank saw of it, which the leader alone is told."""
        coming = NextStep(self._config, self._data, self._model, self._placement, optimizer)
        with self._placement.distribute(coming.model) as distributed:
            assert isinstance(distributed, DistributedDataParallel)
            step = self._placement.step(distributed, coming.optimizer, len(coming.y))
            watched = _TracedShard(coming, self._placement.device, self.ranks).run(distributed, step)
        everything: list[_Watched | None] | None = [None] * self.ranks.num_ranks if self.ranks.is_leader else None
        dist.gather_object(watched, everything, LEADER)
        return coming, [each for each in everything or () if each is not None]


class _TracedShard:
    """This rank's part of one step that is watched."""

    def __init__(self, coming: NextStep, device: torch.device, ranks: Ranks) -> None:
        self._coming, self._device, self._ranks = coming, device, ranks
        self._stopwatch = Stopwatch((device,))
        self._buckets = _Buckets(ranks.num_ranks)

    def run(self, distributed: DistributedDataParallel, step: GradientStep) -> _Watched:
        """Do the step; all ranks have to."""
        coming, stopwatch, buckets = self._coming, self._stopwatch, self._buckets
        distributed.register_comm_hook(buckets, lambda buckets, bucket: buckets.add_up(bucket))
        kept, gradient = self._look(step)
        # Once more, because DDP cuts its buckets anew for the second step.
        coming.warm_up(step)
        Instruments(stopwatch, coming.model, distributed, step, coming.optimizer)
        if coming.x.is_cuda:
            torch.cuda.reset_peak_memory_stats(self._device)
        buckets.stopwatch = stopwatch
        dist.barrier()
        stopwatch.start()
        outputs = step.predict(coming.x)
        assert outputs.grad_fn is not None
        outputs.grad_fn.register_prehook(lambda _gradients: buckets.backward_begins(stopwatch))
        step.update(outputs, coming.y)
        stopwatch.pause()
        moved = self._moved_bytes()
        share = Share(gradient, moved, moved, self._memory_bytes(kept))
        return _Watched(share, self._spans(), stopwatch.began_at, stopwatch.seconds)

    @property
    def _weight(self) -> float:
        return self._coming.weight(self._ranks.rank)

    def _look(self, step: GradientStep) -> tuple[list[Tensor], tuple[float, ...]]:
        """Warm up; what the rank keeps for the way back, and its own shard's mean gradient.

        Both are looked at here and not in the step that is timed, which does the same with the same numbers.
        """
        coming, buckets = self._coming, self._buckets
        outputs = step.predict(coming.x)
        batch = coming.x.untyped_storage().data_ptr()
        saved = [tensor for node in nodes_behind([outputs.grad_fn], ()) for tensor in saved_by(node)]
        kept = [outputs, *(tensor for tensor in saved if tensor.untyped_storage().data_ptr() != batch)]
        own = buckets.gradients = {}
        step.update(outputs, coming.y)
        buckets.gradients = None
        coming.undo()
        if not self._weight:
            return kept, coming.no_gradient()
        flat = torch.cat([own[parameter].flatten() for parameter in coming.model.parameters()])
        # `ShardStep` divides by the samples of the whole batch and multiplies by the ranks.
        return kept, coming.listed_gradient(flat, self._weight * self._ranks.num_ranks)

    def _spans(self) -> tuple[Span, ...]:
        left_out = () if self._weight else OF_A_SHARD
        spans = [span for span in self._stopwatch.each() if span.phase not in left_out]
        return tuple(replace(span, lane=self._ranks.rank) for span in spans)

    def _moved_bytes(self) -> int:
        """What came to this rank, which is as much as left it.

        Counted, not measured: a ring's all-reduce, as Gloo does it, sends all but one part of so many as there are
        ranks twice. NCCL may choose another way. An MLP's row, which travels in the buckets too, is counted.
        """
        num_ranks = self._ranks.num_ranks
        return 2 * (num_ranks - 1) * self._buckets.num_bytes // num_ranks

    def _memory_bytes(self, kept: Sequence[Tensor]) -> int:
        """Most memory of the step in this rank, without the copies that it was traced on.

        A GPU tells it. On the CPU it is that of the tensors which the rank is known to hold, its buckets too, at
        the fuller of two moments: after forward and after backward. Every rank holds the whole batch.
        """
        coming, buckets = self._coming, self._buckets.num_bytes
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) - size_of(coming.doubled()) - buckets
        gradients = [parameter.grad for parameter in coming.model.parameters() if parameter.grad is not None]
        return buckets + max(size_of([*coming.held(), *kept]), size_of([*coming.held(), *gradients]))


class _Buckets:
    """The buckets in which DDP adds the gradients up, and what is noted of them."""

    def __init__(self, num_ranks: int) -> None:
        self._num_ranks = num_ranks
        self.stopwatch: Stopwatch | None = None
        """Times each all-reduce, where there is one."""
        self.gradients: dict[Tensor, Tensor] | None = None
        """Where each parameter's gradient is kept as it was before the sum; None where it is not."""
        self.num_bytes = 0
        self._backward_ends: Callable[[], None] = _nothing

    def backward_begins(self, stopwatch: Stopwatch) -> None:
        """Time this rank's backward, which ends when its last bucket is full."""
        self._backward_ends = stopwatch.begin(Phase.BACKWARD, 0)

    def add_up(self, bucket: "GradBucket") -> torch.futures.Future[Tensor]:
        """Add a bucket up over the ranks, as DDP does by itself: the mean, asynchronously."""
        is_reduced = self._is_full(bucket)
        work = dist.all_reduce(bucket.buffer().div_(self._num_ranks), async_op=True)
        assert work is not None

        def done(future: torch.futures.Future[list[Tensor]]) -> Tensor:
            is_reduced()
            return future.value()[0]

        reduced: torch.futures.Future[Tensor] = work.get_future().then(done)
        return reduced

    def _is_full(self, bucket: "GradBucket") -> Callable[[], None]:
        """Note that all gradients of a bucket are there; what is returned notes that they are added up."""
        if self.gradients is not None:
            self.num_bytes += bucket.buffer().nbytes
            for parameter, gradient in zip(bucket.parameters(), bucket.gradients(), strict=True):
                self.gradients[parameter] = gradient.clone()
        if self.stopwatch is None:
            return _nothing
        if bucket.is_last():
            self._backward_ends()
        return self.stopwatch.begin(Phase.REDUCE, 0)


def _nothing() -> None:
    """Nobody looks."""


def _told(coming: NextStep, watched: Sequence[_Watched]) -> StepTrace:
    """The step on one clock, which begins with the first rank that begins."""
    origin = min(each.began_at for each in watched)
    spans = [replace(span, start=each.began_at - origin + span.start) for each in watched for span in each.spans]
    spans.sort(key=lambda span: span.start)
    seconds = max(each.began_at - origin + each.seconds for each in watched)
    return coming.told([each.share for each in watched], spans, seconds)
