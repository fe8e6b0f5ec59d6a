"""One step taken apart without a run around it: for comparisons, for measurements, and for other tools to open."""

import tempfile
import threading
from pathlib import Path
from typing import Final

import torch
from torch.profiler import ProfilerActivity, profile

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_, DpdashError
from dpdash.core.events import RunEvent, RunFailed, RunPaused, StepTraced
from dpdash.core.steps import StepTrace
from dpdash.problem.model import build_optimizer
from dpdash.training.catalog import require
from dpdash.training.control import RunControl
from dpdash.training.engine import InProcess
from dpdash.training.loop.run import drawn_on
from dpdash.training.trace.tracer import StepTracer

NOT_TRACED: Final = N_("The step could not be taken apart: {reason}. Try fewer samples or narrower hidden layers.")

NOT_PROFILED: Final = N_(
    "torch's profiler sees one process, and the engine {engine} trains in several. Try the engine single."
)
_profiling: Final = threading.Lock()
"""torch has one profiler a process."""


class TraceError(DpdashError):
    """A step could not be taken apart."""


def trace_config(config: RunConfig) -> StepTrace:
    """Draw the data and the model of a config and take its first step apart.

    Raises:
        EngineUnavailableError: if this machine cannot train the config with its engine.
        TraceError: if the step failed.
    """
    control = RunControl()
    control.trace_step()
    control.pause()
    traces: list[StepTrace] = []
    failures: list[str] = []

    def emit(event: RunEvent) -> None:
        if isinstance(event, StepTraced):
            traces.append(event.trace)
        if isinstance(event, StepTraced | RunPaused):
            # It is paused, so it trains no epoch until then; where the trace failed it stands, too.
            control.stop()
        elif isinstance(event, RunFailed):
            failures.append(event.message)

    require(config).run(config, emit, control)
    if not traces:
        raise TraceError(NOT_TRACED, reason=next(iter(failures), "?"))
    return traces[-1]


def chrome_trace(config: RunConfig) -> bytes:
    """The same step as `torch.profiler` sees it, in the format that Perfetto opens (JSON).

    Each phase is an event such as `parallel_apply on replica 1`. The step before it is the warm-up.

    Raises:
        EngineUnavailableError: if this machine cannot train the config with its engine.
        TraceError: if the engine trains in processes of its own.
    """
    engine = require(config)
    if not isinstance(engine, InProcess):
        raise TraceError(NOT_PROFILED, engine=config.engine.value)
    placement = engine.place(config)
    data, model = drawn_on(config, placement.device)
    tracer = StepTracer(config, data, model, placement)
    optimizer = build_optimizer(config, model, placement.device)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if placement.device.type == "cuda" else [])]
    all_threads = torch._C._profiler._ExperimentalConfig(profile_all_threads=True)
    with _profiling, profile(activities=activities, experimental_config=all_threads) as profiler:
        tracer.profiled(optimizer)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        return path.read_bytes()
