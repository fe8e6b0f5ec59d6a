"""A rank's part in measuring: ways to do a step with DDP and without it, and the exchange alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import GradBucket
from torch.distributed.algorithms.ddp_comm_hooks.debugging_hooks import noop_hook
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from dpdash.core.config import RunConfig
from dpdash.core.scaling.variants import Variant
from dpdash.core.steps import Phase
from dpdash.training.ddp.channel import ExchangeWork, Measure, StepWork
from dpdash.training.ddp.exchange import exchange, numbers
from dpdash.training.ddp.layout import layout
from dpdash.training.ddp.placement import Rank
from dpdash.training.ddp.sharded import LEADER, Ranks
from dpdash.training.trace.stopwatch import Stopwatch
from dpdash.training.variants.drawn import Drawn
from dpdash.training.variants.shards import Shard
from dpdash.training.variants.steady import Steady, Step, steady

ONE_BUCKET_MB: Final = 4096.0
"""More than the gradients of the widest and deepest model that can be set."""
Hook = Callable[[Any, GradBucket], torch.futures.Future[Tensor]]


class RankMeasurer:
    """Measures in this rank, together with those that are to take part."""

    def __init__(self, device: torch.device, names: tuple[str, ...], ranks: Ranks) -> None:
        """`ranks` are all of them."""
        self._device, self._names, self._ranks = device, names, ranks
        self._groups: dict[int, Ranks] = {}
        self._drawn = Drawn()

    def measure(self, order: Measure) -> Steady | None:
        """What this rank sees of it; None where it has no part in it. All ranks have to be ordered."""
        ranks = self._first(order.num_ranks)
        if ranks.rank >= ranks.num_ranks:
            return None
        if isinstance(order.work, ExchangeWork):
            tensor = numbers(order.work.num_bytes, self._device)
            return self._together(partial(exchange, order.work.way, tensor, ranks), order.seconds, ranks)
        return self._step(order.work, order.seconds, ranks)

    def _first(self, num_ranks: int) -> Ranks:
        """The first ranks as a group of their own, which torch has all ranks make together."""
        if num_ranks not in self._groups:
            # Among fewer ranks each may have a GPU of its own, and they speak as they would in a run.
            group = dist.new_group(list(range(num_ranks)), backend=layout(num_ranks).backend)
            self._groups[num_ranks] = replace(self._ranks, num_ranks=num_ranks, group=group)
        return self._groups[num_ranks]

    def _step(self, work: StepWork, seconds: float, ranks: Ranks) -> Steady | None:
        config, variant = work.config, work.variant
        if variant is Variant.SHARD_ALONE:
            # The others wait for their next order meanwhile.
            return steady(self._shard(config, ranks).train, seconds, self._wait) if ranks.is_leader else None
        if variant is Variant.SHARDS_AT_ONCE:
            return self._together(self._shard(config, ranks).train, seconds, ranks)
        if variant is Variant.NO_EXCHANGE:
            with self._ddp(config, ranks, noop_hook) as step:
                return self._together(step, seconds, ranks)
        if variant is Variant.ONE_BUCKET:
            with self._ddp(config.model_copy(update={"bucket_cap_mb": ONE_BUCKET_MB}), ranks) as step:
                return self._together(step, seconds, ranks)
        if variant is Variant.FIRST_ALL_REDUCE:
            return self._entered(config, seconds, ranks)
        with self._ddp(config, ranks, exchanges_each=variant is Variant.EXCHANGE_EACH) as step:
            return self._together(step, seconds, ranks)

    def _shard(self, config: RunConfig, ranks: Ranks) -> Shard:
        data, model = self._drawn.on(config, self._device)
        shard = ranks.shard(len(data.y))
        return Shard.on(self._device, config, model, data.x[shard], data.y[shard])

    @contextmanager
    def _ddp(
        self, config: RunConfig, ranks: Ranks, hook: Hook | None = None, *, exchanges_each: bool = False
    ) -> Iterator[Step]:
        """The step of the engine, on a copy of the model; a hook takes the place of the all-reduce."""
        names = self._names[: ranks.num_ranks]
        placement = Rank(config, self._device, names, ranks, exchanges_each=exchanges_each)
        data, model = self._drawn.on(config, self._device)
        whole = Shard.on(self._device, config, model, data.x, data.y)
        with placement.distribute(whole.model) as distributed:
            assert isinstance(distributed, DistributedDataParallel)
            if hook is not None:
                distributed.register_comm_hook(None, hook)
            own = placement.step(distributed, whole.optimizer, len(data.y))
            # DDP cuts its buckets anew after the first step, for which the ranks speak: a short one will do.
            few = slice(ranks.num_ranks)
            own.train(data.x[few], data.y[few])
            yield lambda: own.train(data.x, data.y)

    def _entered(self, config: RunConfig, seconds: float, ranks: Ranks) -> Steady:
        """The step while each rank notes when it enters its first all-reduce."""
        entries = _Entries(self._device)
        group = ranks.group
        assert group is not None

        def noted(_state: object, bucket: GradBucket) -> torch.futures.Future[Tensor]:
            entries.enter()
            return allreduce_hook(group, bucket)

        with self._ddp(config, ranks, noted) as step:

            def noting() -> None:
                entries.begin_step()
                step()

            measured = self._together(noting, seconds, ranks)
        of_all: list[list[float]] | None = [[]] * ranks.num_ranks if ranks.is_leader else None
        dist.gather_object(entries.of_last(measured.num_steps), of_all, LEADER, group=ranks.group)
        if of_all is None:
            return measured
        waiting = median(max(entered) - min(entered) for entered in zip(*of_all, strict=True))
        return replace(measured, waiting_seconds=waiting)

    def _together(self, step: Step, seconds: float, ranks: Ranks) -> Steady:
        return steady(step, seconds, self._wait, ranks.fewest)

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


class _Entries:
    """When this rank enters its first all-reduce of each step, by the clock that all processes here share."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._steps: list[Stopwatch] = []
        self._has_entered = True

    def begin_step(self) -> None:
        """Wait for the next one."""
        self._steps.append(Stopwatch((self._device,)))
        self._steps[-1].start()
        self._has_entered = False

    def enter(self) -> None:
        """Note an all-reduce, if it is the step's first."""
        if not self._has_entered:
            self._steps[-1].begin(Phase.REDUCE, 0)()
        self._has_entered = True

    def of_last(self, num_steps: int) -> list[float]:
        """Seconds at which it was entered in so many steps, once they are done."""
        return [step.began_at + step.each()[0].start for step in self._steps[-num_steps:]]
