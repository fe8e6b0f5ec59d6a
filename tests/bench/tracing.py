"""What a step that is not traced pays for the fact that it could be: it is timed beside one that could not."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from unittest.mock import patch

import torch
from torch import Tensor

from dpdash.core.steps import StepTrace
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.trace.tracer import StepTracer
from tests.bench.figure import Figure
from tests.bench.training import Timed, compare, engine_alone

SAMPLES: Final = 10_000
PAIRS: Final = 20
LOW: Final = 2_000
HIGH: Final = 12_000
QUICK_PAIRS: Final = 2
QUICK_LOW: Final = 50
QUICK_HIGH: Final = 300
GOAL: Final = 0.98
NO_TRACE: Final = StepTrace("single", False, 1, (), 0, (), (), (), 0.0, (), 0.0)


def measure(*, quick: bool = False) -> Iterator[Figure]:
    """Pairs of runs in turns: as it is, and with a step in one piece and nothing that traces it."""
    pairs, low, high = (QUICK_PAIRS, QUICK_LOW, QUICK_HIGH) if quick else (PAIRS, LOW, HIGH)
    timed = engine_alone(SAMPLES)
    ratio = compare(timed, _without_tracing(timed), low, high, pairs)
    yield Figure(
        "untraced steps, beside steps that cannot be traced",
        f"{pairs} pairs in turns, each T({high:,}) − T({low:,}) epochs of the default run on both sides; the "
        "other side updates in one piece and has no tracer",
        tuple(ratio["ratios"]),
        "×",
        "at least",
        GOAL,
    )
    counted = f"the seconds it takes at the start of the default run, {PAIRS} times"
    yield Figure("a traced step", counted, _seconds_of_a_trace(), "s")


def _without_tracing(timed: Timed) -> Timed:
    def bare(num_epochs: int) -> float:
        with _step_in_one_piece(), patch.object(StepTracer, "trace", lambda *_arguments: NO_TRACE):
            return timed(num_epochs)

    return bare


@contextmanager
def _step_in_one_piece() -> Iterator[None]:
    """The update as it was before a step could be taken apart."""

    def update(self: GradientStep, outputs: Tensor, y: Tensor) -> None:
        num_samples = y.shape[0]
        gradient = self._buffer if num_samples == self._buffer.shape[0] else self._buffer[:num_samples]
        torch.sub(outputs.detach(), y, out=gradient)
        gradient.mul_(2 / num_samples)
        self._gradient = gradient
        for parameter in self._parameters:
            parameter.grad = None
        torch.autograd.backward(outputs, gradient)
        self._optimizer.step()

    with patch.object(GradientStep, "update", update):
        yield


def _seconds_of_a_trace() -> tuple[float, ...]:
    seconds: list[float] = []
    trace = StepTracer.trace

    def timed(*arguments: object) -> StepTrace:
        began = time.perf_counter()
        result = trace(*arguments)  # type: ignore[arg-type]  # what it is called with
        seconds.append(time.perf_counter() - began)
        return result

    with patch.object(StepTracer, "trace", timed):
        for _ in range(PAIRS):
            engine_alone(SAMPLES)(1)
    return tuple(seconds)
