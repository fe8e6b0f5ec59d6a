"""What tracing costs: an untraced step beside one that could not be traced, and a traced one beside others."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from unittest.mock import patch

import torch
from torch import Tensor

from dpdash.core.config import EngineName, RunConfig
from dpdash.training.loop.epoch import GradientStep
from dpdash.training.trace.step import trace_config
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
TRACES: Final = 7
QUICK_TRACES: Final = 1
TRACED: Final = (
    ("the default run", RunConfig(samples=SAMPLES), 1.25),
    (
        "the default run on 2 replicas",
        RunConfig(samples=SAMPLES, engine=EngineName.CPU_REPLICAS, replicas=2),
        1.25,
    ),
    ("2 layers of 512", RunConfig(samples=SAMPLES, hidden_depth=2, hidden_width=512), 1.1),
)
"""What is traced, and how many times as long a traced step may take."""


def measure(*, quick: bool = False) -> Iterator[Figure]:
    """Pairs of runs in turns, as it is and with a step in one piece; then traces, each of both kinds of steps."""
    pairs, low, high = (QUICK_PAIRS, QUICK_LOW, QUICK_HIGH) if quick else (PAIRS, LOW, HIGH)
    timed = engine_alone(SAMPLES)
    ratio = compare(timed, _without_tracing(timed), low, high, pairs)
    yield Figure(
        "untraced steps, beside steps that cannot be traced",
        f"{pairs} pairs in turns, each T({high:,}) − T({low:,}) epochs of the default run on both sides; the "
        "other side updates in one piece, which cannot be traced",
        tuple(ratio["ratios"]),
        "×",
        "at least",
        GOAL,
    )
    num_traces = QUICK_TRACES if quick else TRACES
    for name, config, most in TRACED:
        traces = [trace_config(config) for _ in range(num_traces)]
        yield Figure(
            f"a traced step beside an untraced one: {name}",
            f"{num_traces} traces, each the median of {traces[0].timed.num_steps} warm steps over that of as many "
            "untraced ones in turns",
            tuple(trace.timed.cost or 0.0 for trace in traces),
            "×",
            "at most",
            most,
        )
    counted = f"the seconds that twenty steps and twenty untraced ones take in the default run, {num_traces} times"
    yield Figure("a trace", counted, tuple(_seconds_of_a_trace(num_traces)), "s")


def _without_tracing(timed: Timed) -> Timed:
    def bare(num_epochs: int) -> float:
        with _step_in_one_piece():
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


def _seconds_of_a_trace(num_traces: int) -> Iterator[float]:
    for _ in range(num_traces):
        began = time.perf_counter()
        trace_config(RunConfig(samples=SAMPLES))
        yield time.perf_counter() - began
