"""What a run has said, read back as it is stored."""

from collections.abc import Iterator

import sqlalchemy as sa

from dpdash.core.events import EpochBlock, RunEvent
from dpdash.store.rows import block_from_row, event_from_row
from dpdash.store.schema import blocks, events


def rows_of(connection: sa.Connection, run_id: str) -> Iterator[EpochBlock]:
    """The blocks of a run from epoch 1 up to the first gap."""
    of_run = sa.select(blocks).where(blocks.c.run_id == run_id).order_by(blocks.c.first_epoch)
    return connected(map(block_from_row, connection.execute(of_run)))


def events_of(connection: sa.Connection, run_id: str) -> Iterator[tuple[int, RunEvent]]:
    """Everything else that it said, in order, each with its number in the database."""
    of_run = sa.select(events).where(events.c.run_id == run_id).order_by(events.c.number)
    for row in connection.execute(of_run):
        yield row.number, event_from_row(row)


def connected(parts: Iterator[EpochBlock]) -> Iterator[EpochBlock]:
    """The blocks from epoch 1 up to the first gap."""
    expected = 1
    for block in parts:
        if block.first_epoch != expected:
            return
        expected = block.last_epoch + 1
        yield block
