"""A step of replicas, and the same step beside them, as a run has measured them before its first epoch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepTurn:
    """Seconds of a step, measured one right after the other."""

    replicas: float
    one_device: float
    """On one core or, where replicas are on GPUs, on one GPU."""
    whole_cpu: float | None = None
    """On one device whose operations take all cores; None on GPUs and on a machine with one core."""


@dataclass(frozen=True, slots=True)
class StepTurns:
    """What a step took in turns, and on what."""

    turns: tuple[StepTurn, ...]
    """At least one."""
    is_on_gpus: bool = False

    @property
    def replicas(self) -> tuple[float, ...]:
        """Seconds of a step on the replicas, a value a turn."""
        return tuple(turn.replicas for turn in self.turns)

    @property
    def one_device(self) -> tuple[float, ...]:
        """Of the same step on one core or one GPU, in the same turns."""
        return tuple(turn.one_device for turn in self.turns)

    @property
    def whole_cpu(self) -> tuple[float, ...]:
        """Of the same step on one device that takes all cores; empty where there is none."""
        seconds = tuple(turn.whole_cpu for turn in self.turns if turn.whole_cpu is not None)
        return seconds if len(seconds) == len(self.turns) else ()
