"""What a run says while it lives: frozen, plain values that threads, processes and the store share.

Epochs are counted from 1. Row *e* of a block holds the loss of epoch *e* and the line that gave it, both from
before update *e*; a terminal event carries the line after the last update.
"""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from traceback import format_exception
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from dpdash.core.steps import StepTrace
from dpdash.core.turns import StepTurns

Column = NDArray[np.float32] | NDArray[np.float64]


class RunStatus(StrEnum):
    """Where a run is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    DIVERGED = "diverged"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, for whatever reason."""
        return self not in (RunStatus.WAITING, RunStatus.RUNNING, RunStatus.PAUSED)

    @property
    def can_go_on(self) -> bool:
        """Whether a run that ended so may be trained further."""
        return self in (RunStatus.FINISHED, RunStatus.STOPPED, RunStatus.INTERRUPTED)


class StopReason(StrEnum):
    """Why a run was stopped before its last epoch."""

    ASKED = "asked"
    BROWSER_GONE = "browser_gone"
    TEACHER = "teacher"
    SHUTDOWN = "shutdown"
    SWEEP = "sweep"
    """Its sweep has no more use for it."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The engine has placed model and data and is about to train the first epoch."""

    started_at: float
    """Unix time in seconds."""
    devices: tuple[str, ...]
    """The processor of each replica, in the order of the shards; those that share one have the same name."""
    shard_sizes: tuple[int, ...]
    """Samples of the first batch on each replica; 0 for an idle one."""
    emulated: bool
    """True when the replicas are threads on the CPU instead of GPUs."""
    one_device_step_seconds: float | None = None
    """Of a run of an older version: seconds of a step on one device, with as many cores as an operation took."""
    replicas_step_seconds: float | None = None
    """Of a run of an older version: seconds of the same step on the replicas."""
    turns: StepTurns | None = None
    """What a step took on the replicas and beside them, measured just before; None where the run has none."""


@dataclass(frozen=True, slots=True, eq=False)
class EpochBlock:
    """Consecutive epochs in columns, all of one length; the arrays are never written to again."""

    first_epoch: int
    loss: Column
    slope: Column
    intercept: Column
    learning_rate: Column
    seconds: Column
    """Seconds of training since the run's start at the end of each epoch, pauses and pacing left out."""

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def last_epoch(self) -> int:
        return self.first_epoch + len(self) - 1

    def until(self, epoch: int) -> "EpochBlock":
        """The rows up to an epoch; the block itself where it ends there or before."""
        if epoch >= self.last_epoch:
            return self
        num_epochs = epoch - self.first_epoch + 1
        return EpochBlock(self.first_epoch, **{name: getattr(self, name)[:num_epochs] for name in COLUMNS})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EpochBlock):
            return NotImplemented
        return self.first_epoch == other.first_epoch and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in COLUMNS
        )

    __hash__ = None  # type: ignore[assignment]  # arrays cannot be hashed, so neither can a block


COLUMNS: Final = tuple(column.name for column in fields(EpochBlock) if column.name != "first_epoch")


@dataclass(frozen=True, slots=True)
class LearningRateChanged:
    """From `epoch` on, the run trains with another learning rate."""

    epoch: int
    learning_rate: float


@dataclass(frozen=True, slots=True)
class RunPaused:
    """The run stands still after `epoch` epochs; sent again after each single epoch."""

    epoch: int


@dataclass(frozen=True, slots=True)
class RunResumed:
    """The run goes on after `epoch` epochs."""

    epoch: int


@dataclass(frozen=True, slots=True)
class RunFinished:
    """All epochs are trained. `slope` and `intercept` are the line after the last update."""

    num_epochs: int
    slope: float
    intercept: float
    seconds: float


@dataclass(frozen=True, slots=True)
class RunStopped:
    """The run was ended before its last epoch; what it learned is kept."""

    num_epochs: int
    slope: float
    intercept: float
    seconds: float
    reason: StopReason = StopReason.ASKED


@dataclass(frozen=True, slots=True)
class RunDiverged:
    """The loss of epoch `epoch` is not a finite number; the rows before it are kept."""

    num_epochs: int
    epoch: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RunFailed:
    """Training raised. `message` is one sentence for the page, `traceback` is for the log."""

    num_epochs: int
    message: str
    traceback: str
    seconds: float = 0.0

    @classmethod
    def of(cls, error: BaseException, num_epochs: int, seconds: float) -> Self:
        """The end of a run whose engine broke with an error that it did not tell itself."""
        message = f"{type(error).__name__}: {error}"
        return cls(num_epochs, message, "".join(format_exception(error)), seconds)


@dataclass(frozen=True, slots=True)
class StepTraced:
    """A step was taken apart: the first one of epoch `epoch`, measured on a copy right before it was trained."""

    epoch: int
    trace: StepTrace


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything with which the run can go on after `epoch` epochs; all of them have been said before."""

    epoch: int
    seconds: float
    """Seconds of training so far."""
    state: bytes = field(repr=False)
    """Numbers and nothing else; `training/checkpoint.py` knows which."""


TerminalEvent = RunFinished | RunStopped | RunDiverged | RunFailed
RunEvent = (
    RunStarted
    | EpochBlock
    | LearningRateChanged
    | StepTraced
    | Checkpoint
    | RunPaused
    | RunResumed
    | TerminalEvent
)

_STATUS_AFTER: Final[dict[type, RunStatus]] = {
    RunStarted: RunStatus.RUNNING,
    RunPaused: RunStatus.PAUSED,
    RunResumed: RunStatus.RUNNING,
    RunFinished: RunStatus.FINISHED,
    RunStopped: RunStatus.STOPPED,
    RunDiverged: RunStatus.DIVERGED,
    RunFailed: RunStatus.FAILED,
}


def status_after(event: RunEvent) -> RunStatus | None:
    """The status that an event leads to; None for one that leaves it as it was."""
    # Nobody wanted this run to end: it is told apart from those that somebody stopped.
    if isinstance(event, RunStopped) and event.reason is StopReason.SHUTDOWN:
        return RunStatus.INTERRUPTED
    return _STATUS_AFTER.get(type(event))
