"""Runs an engine, here or on another thread, and keeps what it says."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import Checkpoint, EpochBlock, RunEvent, StepTraced, TerminalEvent
from dpdash.training.control import RunControl
from dpdash.training.engine import Engine
from dpdash.training.hardware import num_gpus

ENDLESS = 1_000_000
WAIT_SECONDS = 60
NEEDS_GPU = {EngineName.DATA_PARALLEL}


def config_for(name: EngineName, **settings: Any) -> RunConfig:
    """A small run on as many replicas as make sense for the engine."""
    replicas = {EngineName.SINGLE: 1, EngineName.DATA_PARALLEL: max(2, num_gpus()), EngineName.DDP: 2}.get(name, 4)
    return RunConfig(**({"samples": 500, "epochs": 30, "replicas": replicas, "engine": name} | settings))


class Watcher:
    """Keeps the events of a run, reacts to them on the run's thread, and lets other threads wait for one."""

    def __init__(self, react: Callable[[RunEvent], None] | None = None) -> None:
        self.events: list[RunEvent] = []
        self._react = react
        self._came = threading.Condition()

    def emit(self, event: RunEvent) -> None:
        with self._came:
            self.events.append(event)
            self._came.notify_all()
        if self._react is not None:
            self._react(event)

    def wait_for(self, kind: type[RunEvent]) -> None:
        with self._came:
            wanted = kind | TerminalEvent
            assert self._came.wait_for(lambda: any(isinstance(e, wanted) for e in self.events), WAIT_SECONDS)
            assert any(isinstance(event, kind) for event in self.events), self.events[-1]

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait for an event after which the condition holds."""
        with self._came:
            assert self._came.wait_for(holds, WAIT_SECONDS)

    @property
    def terminal(self) -> TerminalEvent:
        """The one terminal event, which is the last."""
        terminals = [event for event in self.events if isinstance(event, TerminalEvent)]
        assert len(terminals) == 1
        assert self.events[-1] is terminals[0]
        return terminals[0]

    @property
    def blocks(self) -> list[EpochBlock]:
        return [event for event in self.events if isinstance(event, EpochBlock)]

    @property
    def traces(self) -> list[StepTraced]:
        return [event for event in self.events if isinstance(event, StepTraced)]

    def column(self, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.concatenate([getattr(block, column) for block in self.blocks]).astype(np.float64)


def run(
    engine: Engine,
    config: RunConfig,
    control: RunControl | None = None,
    react: Callable[[RunEvent], None] | None = None,
    start: Checkpoint | None = None,
) -> Watcher:
    watcher = Watcher(react)
    engine.run(config, watcher.emit, control or RunControl(), start)
    return watcher


def tracing(epochs_per_second: float | None = None) -> RunControl:
    """A control that asks for the step before the first epoch."""
    control = RunControl(epochs_per_second)
    control.trace_step()
    return control


@contextmanager
def running(engine: Engine, config: RunConfig, control: RunControl) -> Iterator[Watcher]:
    """A run on another thread, which ends when the context does."""
    watcher = Watcher()
    thread = threading.Thread(target=engine.run, args=(config, watcher.emit, control))
    thread.start()
    try:
        yield watcher
    finally:
        control.stop()
        thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
