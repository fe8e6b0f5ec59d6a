"""What every engine is: a way to train a run, called with its settings and told what to do by a control."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import EngineUnavailableError
from dpdash.core.events import Checkpoint, RunEvent
from dpdash.training.control import RunControl
from dpdash.training.loop.placement import Placement

Emit = Callable[[RunEvent], None]
"""Takes a run's events in order, on the thread that trains. What it raises ends the run and is passed on."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether this machine can train a config with an engine."""

    problem: EngineUnavailableError | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None

    @property
    def reason(self) -> str:
        """Why not, in one English sentence with a way out; empty when there is no problem."""
        return "" if self.problem is None else str(self.problem)


class Engine(Protocol):
    """A way to train. It owns neither a thread nor a database."""

    @property
    def name(self) -> EngineName: ...

    def availability(self, config: RunConfig) -> Availability:
        """Whether this machine can train the config with this engine."""

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        """Train until the run ends, and block the caller meanwhile.

        With `start`, a checkpoint of the run, it goes on from there, at the epoch behind it.

        Whatever happens, the last event is exactly one terminal event; only what `emit` raises is passed on.
        """


@runtime_checkable
class InProcess(Protocol):
    """An engine whose replicas are all in the process that calls it."""

    def place(self, config: RunConfig) -> Placement:
        """Where it trains a config, and how it spreads the model there."""
