"""What a run has said, read back as it is stored."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from dpdash.core.events import EpochBlock, LearningRateChanged, RunEvent
from dpdash.store.rows import RunRecord, block_from_row, event_from_row, record_from_row
from dpdash.store.schema import blocks, events

IDS_AT_ONCE: Final = 500


def records_of(connection: sa.Connection, wanted: sa.Select[Any]) -> Iterator[RunRecord]:
    """The runs that a query of their table finds, in its order."""
    rows = connection.execute(wanted).all()
    changes: defaultdict[str, list[LearningRateChanged]] = defaultdict(list)
    for ids in in_parts([row.id for row in rows]):
        is_change = (events.c.run_id.in_(ids), events.c.kind == LearningRateChanged.__name__)
        for row in connection.execute(sa.select(events).where(*is_change).order_by(events.c.number)):
            changes[row.run_id].append(LearningRateChanged(**row.payload))
    return (record_from_row(row, tuple(changes[row.id])) for row in rows)


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


def in_parts(run_ids: Sequence[str]) -> Iterable[Sequence[str]]:
    """Ids, so many at a time as fit into one statement."""
    return (run_ids[first : first + IDS_AT_ONCE] for first in range(0, len(run_ids), IDS_AT_ONCE))
