"""What a server and a process that trains for it say to each other: plain values, in order, over two pipes."""

from collections.abc import Mapping
from dataclasses import dataclass

from dpdash.core.config import RunConfig
from dpdash.core.events import Checkpoint, RunEvent, RunFailed
from dpdash.core.own_data import Table
from dpdash.core.steps import StepTrace
from dpdash.training.control import Command


@dataclass(frozen=True, slots=True)
class Obey:
    """To the process: the next command to a run, perhaps before it begins."""

    command: Command
    num_commands: int
    """Commands to the run so far, this one too."""


@dataclass(frozen=True, slots=True)
class Train:
    """To the process: begin the run, or go on with it from a checkpoint."""

    config: RunConfig
    start: Checkpoint | None = None
    table: Table | None = None
    """Own data of the config."""


@dataclass(frozen=True, slots=True)
class Trace:
    """To the process: take the first step of a config apart, which no run does."""

    config: RunConfig
    profiled: bool
    """Whether it is wanted as `torch.profiler` sees it."""
    table: Table | None = None
    """Own data of the config."""


@dataclass(frozen=True, slots=True)
class Forget:
    """To the process: nobody listens to this run any more; it ends, if it has not."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From the process, once: it can train now."""


@dataclass(frozen=True, slots=True)
class Said:
    """From the process: the run's next event."""

    event: RunEvent


@dataclass(frozen=True, slots=True)
class Stands:
    """From the process: the run has come to a stand, has said so, and has obeyed so many commands."""

    num_commands: int


@dataclass(frozen=True, slots=True)
class Returned:
    """From the process: the engine is done with the run and says nothing more."""

    broken: RunFailed | None = None
    """What it ended with where the engine broke without saying so; how far the run was, its listener knows."""


@dataclass(frozen=True, slots=True)
class Traced:
    """From the process: the step, as it was wanted."""

    step: StepTrace | bytes


@dataclass(frozen=True, slots=True)
class NotTraced:
    """From the process: why there is no step, as `DpdashError` has it."""

    template: str
    values: Mapping[str, object]


ToProcess = tuple[int, Obey | Train | Trace | Forget]
"""The number of a run or of a traced step, and what is to be done."""
FromProcess = tuple[int, Said | Stands | Returned | Traced | NotTraced]
"""The number of a run or of a traced step, and what it says."""
