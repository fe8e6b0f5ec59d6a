"""Steps that are taken apart and that no run does: where that is done, and how much of it a server allows."""

from typing import Final

from dpdash.core.config import RunConfig
from dpdash.core.errors import DpdashError, FrozenError
from dpdash.core.limits import MOST_VALUES, too_large
from dpdash.core.steps import StepTrace
from dpdash.runs.room import FROZEN
from dpdash.runs.service import RunService
from dpdash.training.control import RunControl
from dpdash.training.processes.handle import TrainingProcess
from dpdash.training.processes.pool import TrainingProcesses
from dpdash.training.trace import step as tracing

SHARE_OF_SERVER: Final = 10
"""How many times less a step may hold in the process that serves the pages, whose memory is everybody's."""


class StepTracing:
    """Takes steps apart in a process that trains or, where there is none, in a slot here; safe for threads."""

    def __init__(self, runs: RunService, processes: TrainingProcesses) -> None:
        self._runs = runs
        self._processes = processes

    def problem(self, config: RunConfig) -> DpdashError | None:
        """Why a step may not be taken apart now: it is too large for where that is done, or the room is frozen."""
        try:
            self._admitted(config)
        except DpdashError as problem:
            return problem
        return None

    def trace(self, config: RunConfig) -> StepTrace:
        """The first step of a config, taken apart; see `training.trace.step.trace_config`.

        Raises:
            DpdashError: what `problem` says, when this server has no slot for it, or when the step failed.
        """
        process = self._admitted(config)
        if process is not None:
            return process.trace(config)
        with self._runs.slot():
            return tracing.trace_config(config)

    def chrome_trace(self, config: RunConfig) -> bytes:
        """The same step as `torch.profiler` sees it; see `training.trace.step.chrome_trace`.

        Raises:
            DpdashError: as in `trace`.
        """
        process = self._admitted(config)
        if process is not None:
            return process.chrome_trace(config)
        with self._runs.slot():
            return tracing.chrome_trace(config)

    def _admitted(self, config: RunConfig) -> TrainingProcess | None:
        """The process for a step; None for this one."""
        if self._runs.room.is_frozen:
            raise FrozenError(FROZEN)
        process = self._processes.choose(RunControl())
        setting = "samples" if config.global_batch_size is None else "global_batch_size"
        size = config.global_batch_size or config.samples
        num_values = size * config.hidden_width * max(config.hidden_depth, 1)
        most_values = MOST_VALUES if process is not None else MOST_VALUES // SHARE_OF_SERVER
        problem = too_large(setting, size, num_values, most_values)
        if problem is not None:
            raise problem
        return process
