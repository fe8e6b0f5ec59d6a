"""What a step takes on the replicas of a run and beside them, measured in turns before its first epoch.

The step is the one that a scaling study measures, and so is what is compared: docs/adr/0031-two-ratios.md.
"""

import copy
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import torch
from torch import Tensor, nn

from dpdash.core.config import RunConfig
from dpdash.core.cores import num_cores
from dpdash.core.turns import StepTurn, StepTurns
from dpdash.problem.data import Data
from dpdash.problem.model import build_optimizer
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.loop.placement import Placement
from dpdash.training.loop.setup import batch_size
from dpdash.training.threads import AS_HERE, ONE_CORE, as_many_threads

TURN_SECONDS: Final = 0.0015
"""Of quick steps as many are timed in a row; of slow ones one."""
SLOW_SECONDS: Final = 0.003
"""A step that takes as long needs none before it that brings threads and caches back."""
WARM_ROUNDS: Final = 3
LONGEST_WARM_SECONDS: Final = 0.1
ENOUGH: Final = ((15, 0.0), (5, 0.1), (2, 0.3), (0, 0.6))
"""So many rounds suffice once everything has taken so many seconds."""
DECIMALS: Final = 9
"""Of seconds: what a clock tells."""
OVER: Final = 0
"""Said instead of a number of steps."""


class _Way:
    """The step on a copy of the model, on one device or on all."""

    def __init__(self, step: GradientStep, x: Tensor, y: Tensor, num_threads: int = AS_HERE) -> None:
        self._step, self._x, self._y = step, x, y
        self._num_threads = num_threads
        self.seconds: list[float] = []

    @property
    def num_steps(self) -> int:
        """How many to time in a turn."""
        latest = self.seconds[-1]
        return max(round(TURN_SECONDS / latest), 2 if latest < SLOW_SECONDS else 1)

    def turn(self, num_steps: int) -> None:
        """Time steps in a row, after one more where they are several."""
        with as_many_threads(self._num_threads):
            if num_steps > 1:
                self._do(1)
            began = time.perf_counter()
            self._do(num_steps)
            self.seconds.append((time.perf_counter() - began) / num_steps)

    def _do(self, num_steps: int) -> None:
        for _ in range(num_steps):
            self._step.train(self._x, self._y)
        if self._x.device.type == "cuda":
            torch.cuda.synchronize(self._x.device)


def step_turns(config: RunConfig, data: Data, model: nn.Module, placement: Placement) -> StepTurns | None:
    """A step with the first samples, on copies of the model; None where there are no replicas to compare.

    Takes some 0.1 seconds; with slow steps up to 0.6, or one step each where that is longer. Of processes that
    train together all take part, and the one that leads knows what came of it: for the others it is None.
    """
    if placement.alone is None:
        return None
    with ExitStack() as stack:
        together = _Way(*_on_copy(stack, config, data, model, placement))
        beside: list[_Way] = []
        if placement.leads:
            alone = _on_copy(stack, config, data, model, placement.alone)
            beside = [_Way(*alone, num_threads) for num_threads in _threads_beside(placement)]
        first = _measure(placement, together, beside)
    if not placement.leads:
        return None
    rounds = zip(*(way.seconds[first:] for way in (together, *beside)), strict=True)
    turns = tuple(StepTurn(*(round(seconds, DECIMALS) for seconds in each)) for each in rounds)
    return StepTurns(turns, is_on_gpus=placement.device.type == "cuda")


def _on_copy(
    stack: ExitStack, config: RunConfig, data: Data, model: nn.Module, placement: Placement
) -> tuple[GradientStep, Tensor, Tensor]:
    """A step of a copy of the model, and its batch."""
    model, size = copy.deepcopy(model), batch_size(config)
    distributed = stack.enter_context(placement.distribute(model))
    step = placement.step(distributed, build_optimizer(config, model, data.x.device), size)
    return step, data.x[:size], data.y[:size]


def _threads_beside(placement: Placement) -> tuple[int, ...]:
    """The threads of an operation on each device that replicas are compared with."""
    if placement.device.type == "cuda":
        return (AS_HERE,)
    return (ONE_CORE, num_cores()) if num_cores() > ONE_CORE else (ONE_CORE,)


def _measure(placement: Placement, together: _Way, beside: Sequence[_Way]) -> int:
    """Let all have their turns; the first one that counts."""
    began = time.perf_counter()

    def elapsed() -> float:
        return time.perf_counter() - began

    def round_of(num_steps: int) -> None:
        # The other processes wait meanwhile: they would share what one device has to itself.
        for way in beside:
            way.turn(way.num_steps if num_counted else 1)
        together.turn(num_steps)

    num_warm = num_counted = 0
    while placement.agree(not num_warm or (num_warm < WARM_ROUNDS and elapsed() < LONGEST_WARM_SECONDS)):
        round_of(1)
        num_warm += 1
    while num_steps := placement.agree_on_number(OVER if _suffice(num_counted, elapsed()) else together.num_steps):
        num_counted += 1
        round_of(num_steps)
    return num_warm if num_counted else num_warm - 1


def _suffice(num_rounds: int, seconds: float) -> bool:
    return any(num_rounds >= enough and seconds >= after for enough, after in ENOUGH)
