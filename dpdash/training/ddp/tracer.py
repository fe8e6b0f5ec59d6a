"""Takes one step of DDP apart, on copies: all ranks do it together, and the leader tells it."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn, optim
from torch.nn.parallel import DistributedDataParallel
from torch.utils.hooks import RemovableHandle

from dpdash.core.config import RunConfig
from dpdash.core.steps import (
    Entry,
    OneStep,
    Phase,
    Quartiles,
    Span,
    StepTrace,
    nearest_to_median,
    step_times,
)
from dpdash.problem.data import Data
from dpdash.training.ddp.sharded import LEADER, Ranks
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.loop.placement import Placement
from dpdash.training.trace.instruments import Instruments, mark_seconds, nodes_behind, saved_by
from dpdash.training.trace.next_step import NextStep, Share, logged, size_of
from dpdash.training.trace.stopwatch import Stopwatch
from dpdash.training.trace.turns import Wish, in_turns, warm_up

if TYPE_CHECKING:
    from torch._C._distributed_c10d import GradBucket  # a torch without torch.distributed has none

OF_A_SHARD: Final = (Phase.PARALLEL_APPLY, Phase.LOSS, Phase.BACKWARD)
"""What an idle rank does with no samples at all, and what is therefore not told of it."""


@dataclass(frozen=True, slots=True)
class _Noted:
    """What one rank noted in one step, by the clock that the processes share, in seconds."""

    spans: tuple[Span, ...]
    """Since `began_at`."""
    began_at: float
    seconds: float
    num_readings: Counter[Phase]


@dataclass(frozen=True, slots=True)
class _Watched:
    """What one rank saw of the steps."""

    share: Share
    traced: tuple[_Noted, ...]
    untraced: tuple[tuple[float, float], ...]
    """When each began and ended."""


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

    def attempt(self, optimizer: optim.Optimizer, wish: Wish) -> StepTrace | None:
        """Have all ranks do the first step of the coming epoch on copies, and say what came of it.

        None where that takes longer than is wished or cannot be told, of which the log tells more, and in every
        rank but the leader.
        """
        if not self.ranks.is_leader:
            return None
        self.ranks.word.ask_for_trace()
        found = self._together(optimizer, wish)
        return logged(lambda: _told(*found, mark_seconds(self._placement.device))) if found else None

    def take_part(self, optimizer: optim.Optimizer) -> None:
        """Do this rank's part of a trace that the leader has asked for."""
        self._together(optimizer, Wish())

    def _together(self, optimizer: optim.Optimizer, wish: Wish) -> tuple[NextStep, list[_Watched]] | None:
        """The step, once it is done, and what each rank saw of it, which the leader alone is told.

        None where it takes longer than the leader wishes.
        """
        plain = self._next_step(optimizer)
        with self._placement.distribute(plain.model) as distributed:
            step = self._placement.step(distributed, plain.optimizer, len(plain.y))
            if not warm_up(lambda: self._untraced(plain, step)[1], wish, self.ranks.agree):
                return None
            return self._in_turns(optimizer, wish, plain, step)

    def _in_turns(
        self, optimizer: optim.Optimizer, wish: Wish, plain: NextStep, plain_step: GradientStep
    ) -> tuple[NextStep, list[_Watched]]:
        """Watched steps of a second copy in turns with those of the first, which DDP adds up by itself."""
        coming = self._next_step(optimizer)
        with self._placement.distribute(coming.model) as distributed:
            assert isinstance(distributed, DistributedDataParallel)
            step = self._placement.step(distributed, coming.optimizer, len(coming.y))
            shard = _TracedShard(coming, self._placement.device, self.ranks, distributed, step)
            share = shard.look(plain)
            began: list[float] = []

            def untraced() -> float:
                began_at, seconds = self._untraced(plain, plain_step)
                began.append(began_at)
                return seconds

            traced, seconds = in_turns(shard.timed, untraced, wish, self.ranks.agree)
        watched = _Watched(share, tuple(traced), tuple(zip(began, seconds, strict=True)))
        everything: list[_Watched | None] | None = [None] * self.ranks.num_ranks if self.ranks.is_leader else None
        dist.gather_object(watched, everything, LEADER)
        return coming, [each for each in everything or () if each is not None]

    def _next_step(self, optimizer: optim.Optimizer) -> NextStep:
        return NextStep(self._config, self._data, self._model, self._placement, optimizer)

    def _untraced(self, plain: NextStep, step: GradientStep) -> tuple[float, float]:
        """When a step that nobody watches began here, and what it took."""
        dist.barrier()
        return time.perf_counter(), plain.seconds_of(step)


class _TracedShard:
    """This rank's part of steps that are watched."""

    def __init__(
        self,
        coming: NextStep,
        device: torch.device,
        ranks: Ranks,
        distributed: DistributedDataParallel,
        step: GradientStep,
    ) -> None:
        self._coming, self._device, self._ranks = coming, device, ranks
        self._distributed, self._step = distributed, step
        self._buckets = _Buckets(ranks.num_ranks)
        distributed.register_comm_hook(self._buckets, lambda buckets, bucket: buckets.add_up(bucket))

    def look(self, plain: NextStep) -> Share:
        """What the rank makes of its shard, holds and moves; all ranks have to look.

        That is not looked at in the steps that are timed, which do the same with the same numbers. `plain` is the
        other copy, which is there only because of the trace.
        """
        kept, gradient = self._look()
        # DDP cuts its buckets anew for the second step.
        self._coming.do(self._step)
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        self._coming.do(self._step)
        moved = self._moved_bytes()
        return Share(gradient, moved, moved, self._memory_bytes(kept, plain))

    def timed(self) -> _Noted:
        """Do the step, and say when each phase ran here; all ranks have to."""
        coming, step, buckets = self._coming, self._step, self._buckets
        stopwatch = Stopwatch((self._device,))

        def watch_backward(_module: nn.Module, _inputs: object, outputs: Tensor) -> None:
            assert outputs.grad_fn is not None
            hooks.append(outputs.grad_fn.register_prehook(lambda _gradients: buckets.backward_begins(stopwatch)))

        # Of several micro-batches, those that are not exchanged end their backward where the next one begins.
        hooks: list[RemovableHandle] = [
            coming.model.register_forward_pre_hook(lambda *_: buckets.backward_ends()),
            self._distributed.register_forward_hook(watch_backward),
        ]
        instruments = Instruments(stopwatch, coming.model, self._distributed, step, coming.optimizer)
        buckets.stopwatch = stopwatch
        dist.barrier()
        stopwatch.start()
        step.train(coming.x, coming.y)
        stopwatch.pause()
        for hook in hooks:
            hook.remove()
        instruments.leave()
        buckets.stopwatch = None
        coming.undo()
        return _Noted(self._spans(stopwatch), stopwatch.began_at, stopwatch.seconds, stopwatch.num_readings())

    @property
    def _weight(self) -> float:
        return self._coming.weight(self._ranks.rank)

    def _look(self) -> tuple[list[Tensor], tuple[float, ...]]:
        """What the rank keeps for the way back, and its own shard's mean gradient."""
        coming, buckets, step = self._coming, self._buckets, self._step
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

    def _spans(self, stopwatch: Stopwatch) -> tuple[Span, ...]:
        left_out = () if self._weight else OF_A_SHARD
        spans = [span for span in stopwatch.each() if span.phase not in left_out]
        return tuple(replace(span, lane=self._ranks.rank) for span in spans)

    def _moved_bytes(self) -> int:
        """What came to this rank, which is as much as left it.

        Counted, not measured: a ring's all-reduce, as Gloo does it, sends all but one part of so many as there are
        ranks twice. NCCL may choose another way. An MLP's row, which travels in the buckets too, is counted.
        """
        num_ranks = self._ranks.num_ranks
        return 2 * (num_ranks - 1) * self._buckets.num_bytes // num_ranks

    def _memory_bytes(self, kept: Sequence[Tensor], plain: NextStep) -> int:
        """Most memory of the step in this rank, without the copies that it was traced on.

        A GPU tells it. On the CPU it is that of the tensors which the rank is known to hold, its buckets too, at
        the fuller of two moments: after forward and after backward. Every rank holds the whole batch.
        """
        coming, buckets = self._coming, self._buckets.num_bytes
        if self._device.type == "cuda":
            doubled = [*coming.doubled(), *plain.doubled(), *plain.gradients()]
            return torch.cuda.max_memory_allocated(self._device) - size_of(doubled) - 2 * buckets
        return buckets + max(size_of([*coming.held(), *kept]), size_of([*coming.held(), *coming.gradients()]))


class _Buckets:
    """The buckets in which DDP adds the gradients up, and what is noted of them."""

    def __init__(self, num_ranks: int) -> None:
        self._num_ranks = num_ranks
        self.stopwatch: Stopwatch | None = None
        """Times each all-reduce, where there is one."""
        self.gradients: dict[Tensor, Tensor] | None = None
        """Where each parameter's gradient is kept as it was before the sum; None where it is not."""
        self.num_bytes = 0
        self._ends_backward: Callable[[], None] = _nothing

    def backward_begins(self, stopwatch: Stopwatch) -> None:
        """Time this rank's backward, which ends when its last bucket is full."""
        self._ends_backward = stopwatch.begin(Phase.BACKWARD, 0)

    def backward_ends(self) -> None:
        """Note that it has ended, where it has begun."""
        ends, self._ends_backward = self._ends_backward, _nothing
        ends()

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
            self.backward_ends()
        return self.stopwatch.begin(Phase.REDUCE, 0)


def _nothing() -> None:
    """Nobody looks."""


def _told(coming: NextStep, watched: Sequence[_Watched], mark: float) -> StepTrace:
    """The steps of all ranks on one clock; each begins with the first rank that begins it."""
    steps = [_on_one_clock(noted) for noted in zip(*(each.traced for each in watched), strict=True)]
    untraced = [
        max(began + seconds for began, seconds in step) - min(began for began, _seconds in step)
        for step in zip(*(each.untraced for each in watched), strict=True)
    ]
    latest = [each.traced[-1].num_readings for each in watched]
    # What the ranks note they note at once.
    marks = {phase: max(readings[phase] for readings in latest) * mark for phase in Phase}
    entries = [
        Entry(lane, Quartiles.of(after))
        for lane, each in enumerate(watched)
        if (after := [seconds for noted in each.traced if (seconds := _entry(noted.spans)) is not None])
    ]
    times = step_times(steps, untraced, marks, entries)
    return coming.told([each.share for each in watched], nearest_to_median(steps), times)


def _on_one_clock(noted: Sequence[_Noted]) -> OneStep:
    origin = min(each.began_at for each in noted)
    spans = [replace(span, start=each.began_at - origin + span.start) for each in noted for span in each.spans]
    spans.sort(key=lambda span: span.start)
    return OneStep(tuple(spans), max(each.began_at - origin + each.seconds for each in noted))


def _entry(spans: Sequence[Span]) -> float | None:
    """Seconds from the begin of a rank's backward until its first bucket is full; None for an idle rank.

    Of several micro-batches it is the backward that is exchanged, which is the latest to begin before it.
    """
    reduced = min((span.start for span in spans if span.phase is Phase.REDUCE), default=None)
    begins = [span.start for span in spans if span.phase is Phase.BACKWARD]
    if reduced is None or not begins:
        return None
    return reduced - max((begin for begin in begins if begin <= reduced), default=reduced)
