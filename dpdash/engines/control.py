"""The commands that other threads give to a run while it trains."""

import threading
from typing import Final

from dpdash.events import StopReason

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
        self._stop_reason: StopReason | None = None
        self._learning_rate: float | None = None
        self._pace: Pace | None = None
        self._is_waiting = False
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
    def num_commands(self) -> int:
        """Commands given so far."""
        return self._num_commands

    def pause(self) -> None:
        """Stand still before the next epoch."""
        with self._changed:
            self._paused = True
            self._notify()

    def resume(self) -> None:
        """Go on."""
        with self._changed:
            self._paused = self._step_asked = False
            self._notify()

    def step_once(self) -> None:
        """Train one more epoch, then stand still again. Does nothing unless the run is paused."""
        with self._changed:
            self._step_asked = self._paused
            self._notify()

    def stop(self, reason: StopReason = StopReason.ASKED) -> None:
        """End the run before its next epoch. The first reason given is kept."""
        with self._changed:
            self._stop_reason = self._stop_reason or reason
            self._notify()

    def set_learning_rate(self, value: float) -> None:
        """Use another learning rate from the next epoch on."""
        assert value > 0
        with self._changed:
            self._learning_rate = value
            self._notify()

    def set_epochs_per_second(self, rate: float | None) -> None:
        """Change the pace; None is full speed."""
        assert rate is None or rate > 0
        with self._changed:
            if rate != self.epochs_per_second:
                self._pace = None if rate is None else Pace(rate)
            self._notify()

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
        return bool(self._stop_reason or not self._paused or self._step_asked)

    def _notify(self) -> None:
        self._num_commands += 1
        self._refresh()
        self._changed.notify_all()

    def _refresh(self) -> None:
        self.needs_attention = bool(
            self._paused or self._stop_reason or self._learning_rate is not None or self._pace is not None
        )
