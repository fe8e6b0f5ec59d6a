"""How runs, blocks and events become rows of the database, and back."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_args

import numpy as np
import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects import postgresql, sqlite

from dpdash.core.config import RunConfig
from dpdash.core.events import (
    COLUMNS,
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunDiverged,
    RunEvent,
    RunFailed,
    RunFinished,
    RunStatus,
    RunStopped,
    StepTraced,
    status_after,
)
from dpdash.store.schema import blocks, checkpoints, events, runs

MAX_BLOCK_ROWS: Final = 16_384
"""Epochs in one stored block at most, so that looking one row up stays cheap."""
EVENT_BYTES: Final = 512
"""What an event without columns counts in the queue."""
TRACE_BYTES: Final = 32_768
"""What a step that was taken apart counts in the queue: it names some hundred samples a replica."""

_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {
    event.__name__: TypeAdapter(event) for event in get_args(RunEvent) if event not in (EpochBlock, Checkpoint)
}


@dataclass(frozen=True)
class RunCreated:
    """A run was asked for in this process."""

    config: RunConfig
    owner: str
    created_at: float
    sweep_id: str | None = None


@dataclass(frozen=True)
class Cut:
    """From here on, the run's rows no longer fitted into the queue."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one run said, and when (Unix time in seconds)."""

    run_id: str
    item: RunEvent | RunCreated | Cut
    at: float


@dataclass(frozen=True)
class RunRecord:
    """What the list of runs shows of a stored run."""

    run_id: str
    config: RunConfig
    owner: str
    status: RunStatus
    created_at: float
    ended_at: float | None
    num_epochs: int
    loss: float | None
    """Loss of the last row."""
    slope: float | None
    """Of the line after the last update when the run ended as it should, else of the last row."""
    intercept: float | None
    seconds: float
    message: str | None
    is_complete: bool = True
    """False when rows at the end are missing, because the database could not keep up."""
    best_loss: float | None = None
    """The lowest loss of any row."""
    name: str | None = None
    """What a person calls it; None where nobody has named it."""
    note: str = ""
    tags: tuple[str, ...] = ()
    is_pinned: bool = False
    """Whether it is kept whatever else is let go of."""
    is_imported: bool = False
    """Whether it was trained elsewhere and brought in from a file."""
    deleted_at: float | None = None
    """When it was deleted, which can be undone for a while."""
    sweep_id: str | None = None
    """The sweep that it is a trial of."""
    learning_rate_changes: tuple[LearningRateChanged, ...] = ()
    """How its learning rate was moved while it trained."""


def num_bytes(item: RunEvent | RunCreated | Cut) -> int:
    """What an item counts in the queue."""
    if isinstance(item, EpochBlock):
        return sum(getattr(item, name).nbytes for name in COLUMNS)
    if isinstance(item, StepTraced):
        return TRACE_BYTES
    if isinstance(item, Checkpoint):
        return EVENT_BYTES + len(item.state)
    return 0 if isinstance(item, Cut) else EVENT_BYTES


def save(connection: sa.Connection, batch: Sequence[Entry], instance_id: str) -> None:
    """Write a batch of an instance's runs; a block that is there already is replaced."""
    created = [
        _created_row(entry.run_id, entry.item, instance_id)
        for entry in batch
        if isinstance(entry.item, RunCreated)
    ]
    if created:
        connection.execute(sa.insert(runs), created)
    told = [_event_row(entry) for entry in batch if type(entry.item).__name__ in _ADAPTERS]
    if told:
        connection.execute(sa.insert(events), told)
    by_run = _by_run(batch)
    rows = [block_row(run_id, block) for run_id, entries in by_run.items() for block in _coalesced(entries)]
    if rows:
        connection.execute(_replacing_blocks(connection.dialect.name), rows)
    for run_id, entries in by_run.items():
        changes = _changes(entries)
        if changes:
            connection.execute(sa.update(runs).where(runs.c.id == run_id).values(changes))
        _save_checkpoint(connection, run_id, entries)


def block_from_row(row: sa.Row[Any]) -> EpochBlock:
    """A stored block, with the very values that were given."""
    columns = {name: _floats(getattr(row, name), row.num_epochs) for name in COLUMNS}
    return EpochBlock(first_epoch=row.first_epoch, **columns)


def event_from_row(row: sa.Row[Any]) -> RunEvent:
    """A stored event, equal to the one that was given."""
    event: RunEvent = _ADAPTERS[row.kind].validate_python(row.payload)
    return event


def record_from_row(row: sa.Row[Any], changes: tuple[LearningRateChanged, ...]) -> RunRecord:
    """What the list of runs shows of a stored run, whose learning rate was moved so."""
    return RunRecord(
        run_id=row.id,
        config=RunConfig.parse(row.config),
        owner=row.owner,
        status=RunStatus(row.status),
        created_at=row.created_at,
        ended_at=row.ended_at,
        num_epochs=row.num_epochs,
        loss=row.loss,
        slope=row.slope,
        intercept=row.intercept,
        seconds=row.seconds,
        message=row.message,
        is_complete=row.is_complete,
        best_loss=row.best_loss,
        name=row.name,
        note=row.note,
        tags=tuple(row.tags),
        is_pinned=row.is_pinned,
        is_imported=row.is_imported,
        deleted_at=row.deleted_at,
        sweep_id=row.sweep_id,
        learning_rate_changes=changes,
    )


def put_checkpoint(connection: sa.Connection, run_id: str, checkpoint: Checkpoint | None) -> None:
    """Let a run have this checkpoint and no other, or none."""
    connection.execute(sa.delete(checkpoints).where(checkpoints.c.run_id == run_id))
    if checkpoint is not None:
        row = {"run_id": run_id, "epoch": checkpoint.epoch, "state": checkpoint.state}
        connection.execute(sa.insert(checkpoints), row)


def joined(parts: Sequence[EpochBlock]) -> EpochBlock:
    """Consecutive blocks as one."""
    if len(parts) == 1:
        return parts[0]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return EpochBlock(first_epoch=parts[0].first_epoch, **columns)


def _by_run(batch: Iterable[Entry]) -> dict[str, list[Entry]]:
    grouped: dict[str, list[Entry]] = {}
    for entry in batch:
        grouped.setdefault(entry.run_id, []).append(entry)
    return grouped


def _coalesced(entries: Iterable[Entry]) -> Iterator[EpochBlock]:
    parts: list[EpochBlock] = []
    num_rows = 0
    for entry in entries:
        block = entry.item
        if not isinstance(block, EpochBlock) or not len(block):
            continue
        follows = not parts or parts[-1].last_epoch + 1 == block.first_epoch
        if parts and (not follows or num_rows + len(block) > MAX_BLOCK_ROWS):
            yield joined(parts)
            parts, num_rows = [], 0
        parts.append(block)
        num_rows += len(block)
    if parts:
        yield joined(parts)


def _save_checkpoint(connection: sa.Connection, run_id: str, entries: Sequence[Entry]) -> None:
    """Save the newest checkpoint of a run, after the rows before it; one that cannot go on needs none."""
    said = [entry.item for entry in entries if not isinstance(entry.item, RunCreated | Cut)]
    status = next(filter(None, map(status_after, reversed(said))), None)
    taken = [item for item in said if isinstance(item, Checkpoint)]
    if status is not None and status.is_over and not status.can_go_on:
        put_checkpoint(connection, run_id, None)
    elif taken:
        put_checkpoint(connection, run_id, taken[-1])


@cache
def _replacing_blocks(dialect: str) -> sa.Insert:
    """Both databases say it alike; SQLAlchemy has it in each dialect alone."""
    insert: sqlite.Insert | postgresql.Insert = (postgresql if dialect == "postgresql" else sqlite).insert(blocks)
    key, columns = blocks.primary_key.columns, blocks.columns
    return insert.on_conflict_do_update(
        index_elements=list(key),
        set_={column.name: insert.excluded[column.name] for column in columns if column.name not in key},
    )


def _changes(entries: Sequence[Entry]) -> dict[str, object]:
    """The columns of a run's row that a batch changes."""
    changes: dict[str, object] = {}
    for entry in entries:
        changes.update(_changes_by(entry.item))
        if isinstance(entry.item, RunCreated | Cut):
            continue
        status = status_after(entry.item)
        if status is not None:
            changes["status"] = status.value
            if status.is_over:
                # The clock may have been set back meanwhile, but no run ends before it began.
                changes["ended_at"] = sa.case((runs.c.created_at > entry.at, runs.c.created_at), else_=entry.at)
    blocks_of_rows = (entry.item for entry in entries if isinstance(entry.item, EpochBlock) and len(entry.item))
    losses = [float(block.loss.min()) for block in blocks_of_rows]
    best = min((loss for loss in losses if not math.isnan(loss)), default=None)
    if best is not None:
        changes["best_loss"] = sa.case((runs.c.best_loss < best, runs.c.best_loss), else_=best)
    return changes


def _changes_by(item: RunEvent | RunCreated | Cut) -> dict[str, object]:
    match item:
        case EpochBlock() if len(item):
            latest = {name: float(getattr(item, name)[-1]) for name in ("loss", "slope", "intercept", "seconds")}
            return {"num_epochs": item.last_epoch, **latest}
        case RunFinished() | RunStopped() if item.num_epochs and math.isfinite(item.slope):
            line = {"slope": item.slope, "intercept": item.intercept}
            return {"num_epochs": item.num_epochs, "seconds": item.seconds, **line}
        case RunDiverged():
            return {"seconds": item.seconds}
        case RunFailed():
            # No text of PostgreSQL has this character.
            return {"message": item.message.replace("\0", "\N{REPLACEMENT CHARACTER}")}
        case Cut():
            return {"is_complete": False}
        case _:
            return {}


def _created_row(run_id: str, created: RunCreated, instance_id: str) -> dict[str, object]:
    return {
        "id": run_id,
        "instance_id": instance_id,
        "owner": created.owner,
        "config": created.config.model_dump(mode="json"),
        "status": RunStatus.WAITING.value,
        "created_at": created.created_at,
        "sweep_id": created.sweep_id,
        "data_digest": created.config.data.digest if created.config.data else None,
        "num_epochs": 0,
        "seconds": 0.0,
        "is_complete": True,
    }


def _event_row(entry: Entry) -> dict[str, object]:
    kind = type(entry.item).__name__
    # Not with `asdict`, which copies each sample of a traced step: a third of what a short run costs the server.
    return {"run_id": entry.run_id, "kind": kind, "payload": _ADAPTERS[kind].dump_python(entry.item)}


def block_row(run_id: str, block: EpochBlock) -> dict[str, object]:
    """A block as it is stored."""
    columns = {name: _stored(getattr(block, name)) for name in COLUMNS}
    return {"run_id": run_id, "first_epoch": block.first_epoch, "num_epochs": len(block), **columns}


def _stored(column: np.ndarray[Any, Any]) -> bytes:
    return column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes()


def _floats(stored: bytes, num_epochs: int) -> np.ndarray[Any, Any]:
    """The width of a value follows from the lengths: float32 or float64, as it came."""
    return np.frombuffer(stored, dtype=f"<f{len(stored) // num_epochs}")
