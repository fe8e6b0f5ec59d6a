"""Runs on their way out of the database and into it: all of their epochs, a few blocks at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from dpdash.core.config import RunConfig
from dpdash.core.events import (
    EpochBlock,
    LearningRateChanged,
    RunEvent,
    RunStarted,
    RunStatus,
    TerminalEvent,
    status_after,
)
from dpdash.core.own_data import Table
from dpdash.store.access import Reading, Write
from dpdash.store.data_tables import put_table
from dpdash.store.reading import connected
from dpdash.store.rows import Entry, RunCreated, block_from_row, save
from dpdash.store.schema import blocks, runs

BLOCKS_AT_ONCE: Final = 8
"""So many are read in one look-up, which is over before any of them is handed on: whoever takes an export slowly
keeps neither a connection nor an old state of the database."""


@dataclass(frozen=True)
class ArrivedRun:
    """A run that was trained elsewhere, checked and complete."""

    config: RunConfig
    created_at: float
    ended_at: float
    started: RunStarted | None
    learning_rate_changes: tuple[LearningRateChanged, ...]
    blocks: tuple[EpochBlock, ...]
    ended: TerminalEvent | None
    """None for one that was still training, or whose process died: here it is interrupted."""
    name: str | None
    note: str
    tags: tuple[str, ...]
    is_complete: bool
    table: Table | None = None
    """The own data that it was trained on."""


class RunTransfer:
    """Whole runs in the database; each method raises `StoreError` when it cannot be used."""

    def __init__(self, write: Write, reading: Reading, instance_id: Callable[[], str]) -> None:
        self._write = write
        self._reading = reading
        self._instance_id = instance_id

    def blocks(self, run_id: str) -> Iterator[EpochBlock]:
        """The blocks of a run from epoch 1 up to the first gap, as they stand when each is reached."""
        return connected(self._from_first(run_id))

    def put(self, arrived: Mapping[str, ArrivedRun], owner: str) -> None:
        """Save runs under ids that are not taken, all of them or none; it waits for the disk."""

        def write(connection: sa.Connection) -> None:
            for run_id, run in arrived.items():
                _put(connection, run_id, run, owner, self._instance_id())

        self._write(write)

    def _from_first(self, run_id: str) -> Iterator[EpochBlock]:
        next_ones = sa.select(blocks).where(blocks.c.run_id == run_id).order_by(blocks.c.first_epoch)
        reached = 0
        while True:
            with self._reading() as connection:
                rows = connection.execute(
                    next_ones.where(blocks.c.first_epoch > reached).limit(BLOCKS_AT_ONCE)
                ).all()
            if not rows:
                return
            yield from map(block_from_row, rows)
            reached = rows[-1].first_epoch


def _put(connection: sa.Connection, run_id: str, run: ArrivedRun, owner: str, instance_id: str) -> None:
    def say(item: RunEvent | RunCreated) -> None:
        save(connection, [Entry(run_id, item, run.ended_at)], instance_id)

    if run.table is not None:
        put_table(connection, run.table)
    say(RunCreated(run.config, owner, run.created_at))
    if run.started is not None:
        say(run.started)
    changes = [Entry(run_id, change, run.ended_at) for change in run.learning_rate_changes]
    save(connection, changes, instance_id)
    # One by one, so that no more than one of them is there a second time as bytes.
    for block in run.blocks:
        say(block)
    if run.ended is not None:
        say(run.ended)
    status = RunStatus.INTERRUPTED if run.ended is None else status_after(run.ended)
    assert status is not None
    known = {"name": run.name, "note": run.note, "tags": list(run.tags), "is_complete": run.is_complete}
    values = {**known, "is_imported": True, "status": status.value, "ended_at": run.ended_at}
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(values))
