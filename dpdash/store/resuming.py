"""How a run that has ended is taken up again: cut back to its checkpoint, whole or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from dpdash.core.errors import N_, NotResumableError
from dpdash.core.events import (
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunEvent,
    RunPaused,
    RunResumed,
    RunStatus,
    StepTraced,
    TerminalEvent,
)
from dpdash.core.history import History
from dpdash.store.access import Reading, Write
from dpdash.store.reading import events_of, records_of, rows_of
from dpdash.store.rows import RunRecord, block_from_row, block_row, put_checkpoint
from dpdash.store.schema import blocks, checkpoints, events, runs
from dpdash.training.checkpoint import going_on

TAKEN: Final = N_(
    "This run has been taken up or deleted in another place meanwhile. Open its link again to see what it does."
)
NO_CHECKPOINT: Final = N_(
    "This run has no checkpoint, so it begins at epoch 1 again, with the learning rates that it had."
)
CAN_GO_ON: Final = tuple(status.value for status in RunStatus if status.can_go_on)


@dataclass(frozen=True)
class Past:
    """A run that has ended, as it was where it can go on."""

    record: RunRecord
    history: History
    """Up to there, and waiting to go on."""
    start: Checkpoint
    """Its epoch is 0 where the run has to begin anew."""


class Resumption:
    """Runs of the database that have ended and may go on; methods raise `StoreError` when it cannot be used."""

    def __init__(
        self,
        write: Write,
        reading: Reading,
        instance_id: Callable[[], str],
        forget_cut: Callable[[str], None],
    ) -> None:
        """`forget_cut` is told of each run whose rows are saved again, from an earlier epoch on."""
        self._write = write
        self._reading = reading
        self._instance_id = instance_id
        self._forget_cut = forget_cut

    def past(self, run_id: str) -> Past | None:
        """A run as it was where it can go on; None when there is no such run.

        Raises:
            CheckpointError: when its checkpoint is damaged.
        """
        with self._reading() as connection:
            record = next(records_of(connection, sa.select(runs).where(runs.c.id == run_id)), None)
            if record is None:
                return None
            taken = connection.execute(sa.select(checkpoints).where(checkpoints.c.run_id == run_id)).one_or_none()
            rows = list(rows_of(connection, run_id))
            said = [event for _number, event in events_of(connection, run_id)]
        # Rows are saved before the checkpoint behind them; somebody may have taken some away.
        if taken is not None and taken.epoch > (rows[-1].last_epoch if rows else 0):
            taken = None
        epoch = taken.epoch if taken is not None else 0
        told = tuple(event for event in said if isinstance(event, LearningRateChanged) and is_behind(event, epoch))
        checkpoint = None if taken is None else Checkpoint(taken.epoch, 0.0, taken.state)
        return Past(record, _folded(rows, said, epoch), going_on(checkpoint, record.config.learning_rate, told))

    def take_up(self, past: Past, now: RunRecord) -> None:
        """Make a run this process's, cut back to where it goes on, with the settings of `now`.

        Raises:
            NotResumableError: when somebody else has done so since the past was read.
        """
        is_taken: list[bool] = []
        self._write(lambda connection: is_taken.append(_take_up(connection, past, now, self._instance_id())))
        if not is_taken[-1]:
            raise NotResumableError(TAKEN)
        self._forget_cut(now.run_id)


def is_behind(event: RunEvent, epoch: int) -> bool:
    """Whether an event tells of something that a run which goes on after this epoch has still to do."""
    match event:
        case LearningRateChanged():
            return event.epoch > epoch
        case StepTraced():
            # The first step behind the checkpoint is done anew with the very same numbers.
            return event.epoch > epoch + 1
        case RunPaused() | RunResumed():
            return event.epoch >= epoch
        case _:
            return isinstance(event, TerminalEvent)


def _folded(rows: list[EpochBlock], said: list[RunEvent], epoch: int) -> History:
    history = History()
    for block in rows:
        if block.first_epoch <= epoch:
            history.fold(block.until(epoch))
    for event in said:
        if not is_behind(event, epoch):
            history.fold(event)
    history.mark_waiting()
    return history


def _take_up(connection: sa.Connection, past: Past, now: RunRecord, instance_id: str) -> bool:
    """Do all of it; False, and nothing is done, where the run is no longer as it was."""
    as_it_was = (
        runs.c.id == now.run_id,
        runs.c.status.in_(CAN_GO_ON),
        runs.c.num_epochs == past.record.num_epochs,
        runs.c.deleted_at.is_(None),
    )
    changed = connection.execute(sa.update(runs).where(*as_it_was).values(_values(now, instance_id)))
    if not changed.rowcount:
        return False
    _cut_rows(connection, now.run_id, past.start.epoch)
    behind = [
        {"gone": number}
        for number, event in events_of(connection, now.run_id)
        if is_behind(event, past.start.epoch)
    ]
    if behind:
        connection.execute(sa.delete(events).where(events.c.number == sa.bindparam("gone")), behind)
    put_checkpoint(connection, now.run_id, past.start)
    return True


def _values(now: RunRecord, instance_id: str) -> dict[str, object]:
    return {
        "instance_id": instance_id,
        "config": now.config.model_dump(mode="json"),
        "status": RunStatus.WAITING.value,
        "ended_at": None,
        "num_epochs": now.num_epochs,
        "loss": now.loss,
        "slope": now.slope,
        "intercept": now.intercept,
        "seconds": now.seconds,
        "best_loss": now.best_loss,
        "message": None,
        "is_complete": True,
    }


def _cut_rows(connection: sa.Connection, run_id: str, epoch: int) -> None:
    of_run = blocks.c.run_id == run_id
    connection.execute(sa.delete(blocks).where(of_run, blocks.c.first_epoch > epoch))
    last = sa.select(blocks).where(of_run).order_by(blocks.c.first_epoch.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    if row is not None:
        block = block_from_row(row)
        at_its_place = (of_run, blocks.c.first_epoch == block.first_epoch)
        connection.execute(sa.update(blocks).where(*at_its_place).values(block_row(run_id, block.until(epoch))))
