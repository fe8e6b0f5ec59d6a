"""Who may train now, and who waits for it: decisions only, no threads and no clock.

There are two lanes. Runs at full speed share a few slots, for each keeps a core busy; paced runs share a
larger pool and never wait behind them. A paused run holds no slot. A run that changes lanes keeps the slot
that it has until the other lane grants one.
"""

from enum import StrEnum
from typing import Final

LIVE_RUNS_PER_SLOT: Final = 4
"""For each run that trains, so many minus one may wait or stand paused, all of them in memory.

Enough for a room of forty with several runs each, and few enough that whoever starts them under ever new names
exhausts neither memory nor threads.
"""


class Lane(StrEnum):
    """What kind of slot a run needs."""

    FULL_SPEED = "full_speed"
    PACED = "paced"


class Slots:
    """Slots of both lanes, each with a queue that is served in the order of asking.

    Methods that may free a slot return the runs that were granted one, in order; not safe for threads.
    """

    def __init__(self, full_speed: int, paced: int) -> None:
        assert full_speed >= 1 and paced >= 1
        self._capacity = {Lane.FULL_SPEED: full_speed, Lane.PACED: paced}
        self._held: dict[str, Lane] = {}
        self._queues: dict[Lane, list[str]] = {lane: [] for lane in Lane}

    def ask(self, run_id: str, lane: Lane) -> tuple[str, ...]:
        """Take a slot of a lane, or wait for one; asking again changes nothing."""
        if self.lane_waited_for(run_id) is lane:
            return ()
        self._leave_queues(run_id)
        if self._held.get(run_id) is not lane:
            self._queues[lane].append(run_id)
        return self._grant()

    def take(self, name: str, lane: Lane) -> bool:
        """Take a slot of a lane without waiting, for work that is no run; whether there was one."""
        if not self._has_room(lane):
            return False
        self._held[name] = lane
        return True

    def release(self, run_id: str) -> tuple[str, ...]:
        """Give up slot and place."""
        self._leave_queues(run_id)
        self._held.pop(run_id, None)
        return self._grant()

    def hand_over(self, old: str, new: str, lane: Lane) -> bool:
        """Let a new run take over what an old one has in a lane; whether that was a slot."""
        queue = self._queues[lane]
        if old in queue:
            queue[queue.index(old)] = new
        if self._held.get(old) is not lane:
            return False
        del self._held[old]
        self._held[new] = lane
        return True

    def lane_held(self, run_id: str) -> Lane | None:
        """The lane in which a run holds a slot."""
        return self._held.get(run_id)

    def lane_waited_for(self, run_id: str) -> Lane | None:
        """The lane in whose queue a run stands."""
        return next((lane for lane, queue in self._queues.items() if run_id in queue), None)

    def place(self, run_id: str) -> int | None:
        """Place in the queue, counted from 1; None for a run that does not wait."""
        lane = self.lane_waited_for(run_id)
        return None if lane is None else self._queues[lane].index(run_id) + 1

    @property
    def max_live_runs(self) -> int:
        """How many runs may train, wait and stand paused at the same time."""
        return LIVE_RUNS_PER_SLOT * sum(self._capacity.values())

    def capacity(self, lane: Lane) -> int:
        """How many slots a lane has."""
        return self._capacity[lane]

    def wanted(self, lane: Lane) -> tuple[str, ...]:
        """Who holds a slot of a lane, or waits for one."""
        return (*(name for name, held in self._held.items() if held is lane), *self._queues[lane])

    def num_held(self, lane: Lane) -> int:
        return sum(held is lane for held in self._held.values())

    def _leave_queues(self, run_id: str) -> None:
        for queue in self._queues.values():
            if run_id in queue:
                queue.remove(run_id)

    def _grant(self) -> tuple[str, ...]:
        granted: list[str] = []
        # A grant may free a slot of the other lane, hence until nothing more can be granted.
        while lane := next((lane for lane in Lane if self._has_room(lane) and self._queues[lane]), None):
            run_id = self._queues[lane].pop(0)
            self._held[run_id] = lane
            granted.append(run_id)
        return tuple(granted)

    def _has_room(self, lane: Lane) -> bool:
        return self.num_held(lane) < self._capacity[lane]
