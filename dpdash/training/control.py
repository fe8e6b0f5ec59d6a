"""The commands that other threads give to a run while it trains."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from dpdash.core.events import StopReason

SHORTEST_SLEEP_SECONDS: Final = 0.004
"""Shorter sleeps wake up too late to be worth it: faster paces train a few epochs, then sleep for all of them."""
LONGEST_DELAY_SECONDS: Final = 0.05
"""A run that is later than this (and than one epoch) was held up: it goes on at its pace and does not catch up."""


class Pace:
    """A schedule of so many epochs per second."""

    def __init__(self, epochs_per_second: float) -> None:
        self.epochs_per_second = epochs_per_second
        self._interval = 1 / epochs_per_second
        self._due: float | None = None

    def delay(self, now: float) -> float:
        """Seconds to wait before the next epoch. 0 lets it begin, and counts it: ask again after each wait."""
        if self._due is None:
            self._due = now
        ahead = self._due - now
        if ahead >= SHORTEST_SLEEP_SECONDS:
            return ahead
        if -ahead > max(self._interval, LONGEST_DELAY_SECONDS):
            self._due = now
        self._due += self._interval
        return 0.0


@dataclass(frozen=True, slots=True)
class Command:
    """A command to a run that trains in another process: a plain value."""

    name: Literal[
        "pause", "resume", "step_once", "trace_step", "stop", "set_learning_rate", "set_epochs_per_second"
    ]
    value: float | StopReason | None = None


WITHOUT_VALUE: Final = ("pause", "resume", "step_once")

SendCommand = Callable[[Command, int], None]
"""Takes a command and how many there are with it. Must not block: the one who gives the command waits for it."""


class RunControl:
    """Carries commands into a run. Any thread may call them, at any time and as often as it likes.

    The training thread reads `needs_attention` in every epoch, a plain attribute, and asks for the rest only when
    that is true.
    """

    def __init__(self, epochs_per_second: float | None = None) -> None:
        """Units: `epochs_per_second` None is full speed."""
        self._changed = threading.Condition()
        self._num_commands = 0
        self._paused = False
        self._step_asked = False
        self._trace_seconds: float | None = None
        self._stop_reason: StopReason | None = None
        self._learning_rate: float | None = None
        self._pace: Pace | None = None
        self._is_waiting = False
        self._send: SendCommand | None = None
        self.needs_attention = False
        """Whether the run has to look at its commands before the next epoch."""
        self.set_epochs_per_second(epochs_per_second)

    @property
    def is_paused(self) -> bool:
        return self._paused

    @property
    def is_standing(self) -> bool:
        """Whether the run has come to a stand, has said so, and will move only after another command."""
        with self._changed:
            return self._is_waiting and not self._may_move()

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the run is to stop; None while it may go on."""
        return self._stop_reason

    @property
    def epochs_per_second(self) -> float | None:
        """The pace that was asked for; None is full speed."""
        pace = self._pace
        return None if pace is None else pace.epochs_per_second

    @property
    def trace_seconds(self) -> float | None:
        """The most seconds for a trace that is asked for; None where none is."""
        return self._trace_seconds

    @property
    def num_commands(self) -> int:
        """Commands given so far."""
        return self._num_commands

    def pause(self) -> None:
        """Stand still before the next epoch."""
        with self._changed:
            self._paused = True
            self._notify(Command("pause"))

    def resume(self) -> None:
        """Go on."""
        with self._changed:
            self._paused = self._step_asked = False
            self._notify(Command("resume"))

    def step_once(self) -> None:
        """Train one more epoch, then stand still again. Does nothing unless the run is paused."""
        with self._changed:
            self._step_asked = self._paused
            self._notify(Command("step_once"))

    def trace_step(self, most_seconds: float = math.inf) -> None:
        """Take the next step apart; the run goes on, or goes on standing still, as if nobody had asked.

        It is left undone where it would take longer than so many seconds.
        """
        with self._changed:
            self._trace_seconds = max(most_seconds, self._trace_seconds or 0.0)
            self._notify(Command("trace_step", most_seconds))

    def stop(self, reason: StopReason = StopReason.ASKED) -> None:
        """End the run before its next epoch. The first reason given is kept."""
        with self._changed:
            self._stop_reason = self._stop_reason or reason
            self._notify(Command("stop", reason))

    def set_learning_rate(self, value: float) -> None:
        """Use another learning rate from the next epoch on."""
        assert value > 0
        with self._changed:
            self._learning_rate = value
            self._notify(Command("set_learning_rate", value))

    def set_epochs_per_second(self, rate: float | None) -> None:
        """Change the pace; None is full speed."""
        assert rate is None or rate > 0
        with self._changed:
            if rate != self.epochs_per_second:
                self._pace = None if rate is None else Pace(rate)
            self._notify(Command("set_epochs_per_second", rate))

    def hand_on(self, send: SendCommand) -> None:
        """Have another process obey: `send` gets what holds now and, until `take_back`, every later command."""
        with self._changed:
            for command in self._so_far():
                send(command, self._num_commands)
            self._send = send

    def take_back(self) -> None:
        """Hand on no further command."""
        with self._changed:
            self._send = None

    def obey(self, command: Command) -> None:
        """Do what was asked for in another process."""
        values = () if command.name in WITHOUT_VALUE else (command.value,)
        getattr(self, command.name)(*values)

    def stands(self, num_commands: int) -> None:
        """Note that the run, which trains elsewhere, has come to a stand when it knew of so many commands."""
        with self._changed:
            if num_commands == self._num_commands:
                self._step_asked, self._trace_seconds = False, None
                self._is_waiting = True

    def take_learning_rate(self) -> float | None:
        """The learning rate that was asked for since the last call, if any. For the training thread."""
        with self._changed:
            value, self._learning_rate = self._learning_rate, None
            self._refresh()
            return value

    def take_step(self) -> bool:
        """Whether one more epoch was asked for since the last call. For the training thread."""
        with self._changed:
            asked, self._step_asked = self._step_asked, False
            return asked

    def take_trace(self) -> float:
        """The most seconds for the trace that is asked for, and will not be any more. For the training thread."""
        with self._changed:
            seconds, self._trace_seconds = self._trace_seconds, None
            self._refresh()
            return seconds or 0.0

    def wait_while_standing(self) -> None:
        """Block until the run is asked to stop, to go on or to train one more epoch. For the training thread."""
        with self._changed:
            self._is_waiting = True
            self._changed.wait_for(self._may_move)
            self._is_waiting = False

    def pace_delay(self, now: float) -> float:
        """Seconds to wait before the next epoch; 0 lets it begin. For the training thread."""
        pace = self._pace
        return 0.0 if pace is None else pace.delay(now)

    def wait(self, seconds: float, num_commands: int) -> None:
        """Block for a while, or until there are more than `num_commands` commands. For the training thread.

        The caller reads `num_commands` before it looks at what is asked for, so that it sleeps over no command.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._num_commands != num_commands, seconds)

    def _may_move(self) -> bool:
        return bool(self._stop_reason or not self._paused or self._step_asked or self._trace_seconds is not None)

    def _so_far(self) -> tuple[Command, ...]:
        """The commands that lead a new control to where this one is."""
        pace = Command("set_epochs_per_second", self.epochs_per_second)
        commands = {
            Command("pause"): self._paused,
            Command("step_once"): self._step_asked,
            Command("trace_step", self._trace_seconds): self._trace_seconds is not None,
            Command("stop", self._stop_reason): self._stop_reason is not None,
            Command("set_learning_rate", self._learning_rate): self._learning_rate is not None,
        }
        return (pace, *(command for command, holds in commands.items() if holds))

    def _notify(self, command: Command) -> None:
        self._num_commands += 1
        self._refresh()
        self._changed.notify_all()
        if self._send is not None:
            # Whoever trains elsewhere says anew whether the run stands, once this has been obeyed.
            self._is_waiting = self._is_waiting and not self._may_move()
            self._send(command, self._num_commands)

    def _refresh(self) -> None:
        self.needs_attention = bool(
            self._paused
            or self._stop_reason
            or self._trace_seconds is not None
            or self._learning_rate is not None
            or self._pace is not None
        )
