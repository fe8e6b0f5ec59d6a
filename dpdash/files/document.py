"""Runs as JSON Lines that come back: a small object a line, so that both ways they pass through piece by piece.

The first object says what the file is. Then each run is an object `run`, followed by its `learning_rate_changes`
and its `rows`, after the `data` of its own, which several runs of a file share. Owners, paths in tracebacks and
steps that were taken apart stay here (ADR 0016).
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from dpdash.core.events import COLUMNS, Column, EpochBlock, TerminalEvent
from dpdash.core.own_data import Table
from dpdash.files.run import WholeRun
from dpdash.problem import tables

FORMAT: Final = "dpdash runs"
VERSION: Final = 1
ROWS_IN_PART: Final = 4_096
CHANGES_IN_PART: Final = 4_096


def json_parts(runs: Sequence[WholeRun]) -> Iterator[bytes]:
    """The runs with every epoch, as `read_runs` takes them; a part a line."""
    yield _line({"format": FORMAT, "version": VERSION})
    told = set[str]()
    for run in runs:
        own = run.record.config.data
        table = None if own is None or own.digest in told else tables.table(own)
        for part in _parts(run, table):
            yield _line(part)
        told |= set() if own is None else {own.digest}


def _line(part: dict[str, Any]) -> bytes:
    return json.dumps(part, allow_nan=False).encode() + b"\n"


def _parts(run: WholeRun, table: Table | None) -> Iterator[dict[str, Any]]:
    yield {"run": _described(run)}
    for begin in range(0, 0 if table is None else len(table), ROWS_IN_PART):
        assert table is not None
        end = begin + ROWS_IN_PART
        yield {"data": {"x": table.x[begin:end].tolist(), "y": table.y[begin:end].tolist()}}
    changes = run.history.learning_rate_changes
    for begin in range(0, len(changes), CHANGES_IN_PART):
        yield {"learning_rate_changes": [asdict(change) for change in changes[begin : begin + CHANGES_IN_PART]]}
    for block in run.blocks():
        for begin in range(0, len(block), ROWS_IN_PART):
            yield {"rows": _rows(block, begin, begin + ROWS_IN_PART)}


def _described(run: WholeRun) -> dict[str, Any]:
    record, started = run.record, run.history.started
    return {
        "id": record.run_id,
        "name": record.name,
        "note": record.note,
        "tags": list(record.tags),
        "status": record.status.value,
        "created_at": record.created_at,
        "ended_at": record.ended_at,
        "is_complete": record.is_complete,
        "is_imported": record.is_imported,
        "config": record.config.model_dump(mode="json"),
        "started": None if started is None else _finite(asdict(started)),
        "ended": None if run.history.ended is None else _ended(run.history.ended),
    }


def _ended(ended: TerminalEvent) -> dict[str, Any]:
    values = {name: value for name, value in asdict(ended).items() if name != "traceback"}
    return {"kind": type(ended).__name__, **_finite(values)}


def _rows(block: EpochBlock, begin: int, end: int) -> dict[str, Any]:
    columns: dict[str, Column] = {name: getattr(block, name)[begin:end] for name in COLUMNS}
    single = [name for name, column in columns.items() if column.dtype == np.float32]
    values = {name: _numbers(column) for name, column in columns.items()}
    return {"first_epoch": block.first_epoch + begin, "single_precision": single, **values}


def _numbers(column: Column) -> list[float | None]:
    """Python writes a number in digits that give the very value back; JSON knows no infinity."""
    values: list[float] = column.tolist()
    return list(values) if np.isfinite(column).all() else [_finite(value) for value in values]


def _finite(value: Any) -> Any:
    """A value without what JSON cannot write: a run that never began ends without a line."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
