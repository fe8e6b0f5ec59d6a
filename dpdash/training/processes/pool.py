"""Trains runs in processes of their own, so that the one that serves pages keeps its interpreter to itself.

Python runs one thread of a process at a time: runs at full speed and pages would wait for each other.
"""

import logging
import os
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Final

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.cores import num_cores
from dpdash.core.events import Checkpoint
from dpdash.training.control import RunControl
from dpdash.training.engine import Availability, Emit, Engine
from dpdash.training.processes.child import copied, started
from dpdash.training.processes.handle import TrainingChild, TrainingProcess

MODULE: Final = "dpdash.training.processes.worker"

_log = logging.getLogger(__name__)


class TrainingProcesses:
    """A few processes that train, each several runs at once; safe for threads.

    One that dies takes its runs along, which then fail, and another one takes its place. Where there is none, not
    yet or not on this machine, a run trains in the caller's process.
    """

    def __init__(self, num_processes: int, module: str = MODULE) -> None:
        """Start nothing yet. `module` is what each process runs."""
        self._num_processes = num_processes if os.name == "posix" else 0
        self._module = module
        # Threads of one operation wait for each other, which takes long where others want the cores (ADR 0008).
        self._num_threads = max(1, num_cores() // max(1, num_processes))
        self._lock = threading.Lock()
        self._processes: list[TrainingProcess] = []
        self._is_closed = False

    def start(self) -> None:
        """Start the processes, which takes seconds, and do not wait for them."""
        for _number in range(self._num_processes):
            self._start_one()

    def copy(self) -> None:
        """Start them as copies of this process, which takes milliseconds, where the system is made for that.

        For the beginning of a command alone: see `copied`.
        """
        if sys.platform != "linux" or threading.active_count() > 1:
            return
        # The first optimizer that is built needs it: a second of imports, once for all copies.
        import_module("torch._dynamo")
        from dpdash.training.processes.worker import work

        children: list[TrainingChild] = []
        with suppress(OSError):
            for _number in range(self._num_processes):
                children.append(copied(partial(work, self._num_threads), children))
        # Each has threads here, hence not before the last copy is made.
        self._processes = [TrainingProcess(child, self._gone) for child in children]

    @property
    def ready(self) -> tuple[TrainingProcess, ...]:
        """The processes that can train now."""
        with self._lock:
            return tuple(process for process in self._processes if process.is_ready)

    def outside(self, engine: Engine) -> Engine:
        """The same engine, training in one of the processes."""
        return _Outside(engine, self)

    def wait_until_ready(self, timeout: float) -> None:
        """Wait until every process can train, or is gone; at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._lock:
            processes = tuple(self._processes)
        for process in processes:
            process.wait_until_ready(deadline - time.monotonic())

    def close(self) -> None:
        """End every process within a second; what still trains there fails."""
        with self._lock:
            self._is_closed = True
            processes = tuple(self._processes)
        for process in processes:
            process.hang_up()
        for process in processes:
            process.end()

    def choose(self, control: RunControl) -> TrainingProcess | None:
        """The process with the least to do, for a run under this control; None when there is none."""
        is_at_full_speed = control.epochs_per_second is None

        def work(process: TrainingProcess) -> tuple[int, int]:
            return (process.num_at_full_speed if is_at_full_speed else 0, process.num_runs)

        return min(self.ready, key=work, default=None)

    def _start_one(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            try:
                process = TrainingProcess(started(self._module, self._num_threads), self._gone)
            except OSError as error:
                _log.warning("No further process for training, so runs train in the server's: %s", error)
                return
            self._processes.append(process)

    def _gone(self, process: TrainingProcess) -> None:
        with self._lock:
            self._processes.remove(process)
            if self._is_closed:
                return
        _log.warning("A process that trains has ended by itself (exit status %s).", process.exit_status)
        # One that never was ready would only fail again, for ever.
        if process.was_ready:
            self._start_one()


class _Outside:
    """An engine that trains in one of several processes."""

    def __init__(self, engine: Engine, processes: TrainingProcesses) -> None:
        self._engine = engine
        self._processes = processes

    @property
    def name(self) -> EngineName:
        return self._engine.name

    def availability(self, config: RunConfig) -> Availability:
        """See `Engine.availability`."""
        return self._engine.availability(config)

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        """See `Engine.run`."""
        chosen = self._processes.choose(control)
        (chosen or self._engine).run(config, emit, control, start)
