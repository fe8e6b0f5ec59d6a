"""What a page sees of a run at one moment."""

from dataclasses import dataclass
from typing import Literal

from dpdash.core.config import RunConfig
from dpdash.core.events import RunStatus
from dpdash.core.history import HistorySnapshot
from dpdash.runs.pace import Pace
from dpdash.runs.read_cache import StoredRun
from dpdash.runs.run import LiveRun
from dpdash.runs.slots import Lane, Slots
from dpdash.store.store import StoreHealth

WaitingFor = Literal["start", "resume", "full_speed"]


@dataclass(frozen=True)
class RunSnapshot:
    """A run at one moment."""

    run_id: str
    config: RunConfig
    owner: str
    status: RunStatus
    history: HistorySnapshot
    pace: Pace | None
    """None for a run that this process does not train."""
    place: int | None
    """Place in the queue, counted from 1; None for a run that does not wait."""
    waiting_for: WaitingFor | None
    """What the queue is for; a run that waits for full speed goes on at its old pace meanwhile."""
    is_live: bool
    """Whether it can still be steered here."""
    is_moving: bool
    """Whether it can change although nobody gives it another command."""
    created_at: float
    """Unix time in seconds."""
    saved: StoreHealth
    is_stopping: bool = False
    """Whether it was asked to stop and has not done so yet: its engine is busy, or hangs."""
    resumed_from: int | None = None
    """The epoch behind which it went on in this process, 0 where it had to begin anew; None where it did not."""
    host: str | None = None
    """The machine where another process trains it, where that is known."""
    is_imported: bool = False
    """Whether it was trained elsewhere and brought in from a file."""
    sweep_id: str | None = None
    """The sweep that it is a trial of."""

    @property
    def can_go_on(self) -> bool:
        """Whether it has ended and may be trained further."""
        return self.status.can_go_on and not self.is_imported


def of_live_run(run: LiveRun, slots: Slots, saved: StoreHealth, max_age_seconds: float = 0.0) -> RunSnapshot:
    """A run of this process; its status is *waiting* wherever it stands still until there is a slot.

    While it trains, its latest rows may be missing for `max_age_seconds`.
    """
    waiting_for = None if run.is_over else _waiting_for(run, slots)
    # Asked before the history is read: one that stands has said everything.
    is_standing = run.control.is_standing or not run.is_launched
    history = run.history.snapshot(0.0 if is_standing else max_age_seconds)
    status = RunStatus.WAITING if waiting_for in ("start", "resume") else history.status
    return RunSnapshot(
        run_id=run.run_id,
        config=run.config,
        owner=run.owner,
        status=status,
        history=history,
        pace=run.pace,
        place=slots.place(run.run_id) if waiting_for else None,
        waiting_for=waiting_for,
        is_live=not history.status.is_over,
        is_moving=not status.is_over and not (status is RunStatus.PAUSED and is_standing),
        created_at=run.created_at,
        saved=saved,
        is_stopping=run.control.stop_reason is not None and not history.status.is_over,
        resumed_from=run.resumed_from,
        sweep_id=run.sweep_id,
    )


def of_stored_run(run: StoredRun, saved: StoreHealth) -> RunSnapshot:
    """A run of an earlier process, or of another one."""
    return RunSnapshot(
        run_id=run.record.run_id,
        config=run.record.config,
        owner=run.record.owner,
        status=run.history.status,
        history=run.history,
        pace=None,
        place=None,
        waiting_for=None,
        is_live=False,
        is_moving=not run.history.status.is_over and run.history.status is not RunStatus.PAUSED,
        created_at=run.record.created_at,
        saved=saved,
        host=run.host,
        is_imported=run.record.is_imported,
        sweep_id=run.record.sweep_id,
    )


def _waiting_for(run: LiveRun, slots: Slots) -> WaitingFor | None:
    lane = slots.lane_waited_for(run.run_id)
    if lane is None:
        return None
    if slots.lane_held(run.run_id) is None:
        return "resume" if run.is_launched else "start"
    # A run that slows down trains at its new pace at once, whichever slot it holds.
    return "full_speed" if lane is Lane.FULL_SPEED else None
