"""The list of runs in the database: searched and sorted there, named, pinned, deleted, and at last let go of.

Each method raises `StoreError` when the database cannot be used.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from dpdash.core.config import FIELD_NAMES, TRUE_SLOPE
from dpdash.core.events import COLUMNS, RunStatus
from dpdash.store.access import Reading, Write
from dpdash.store.query import Fold, RunLabel, RunOrder, RunPage, RunQuery, Viewer, words_of
from dpdash.store.reading import in_parts, records_of
from dpdash.store.rows import RunRecord
from dpdash.store.schema import blocks, checkpoints, events, runs

OVER: Final = tuple(status.value for status in RunStatus if status.is_over)
RUN_BYTES: Final = 1024
"""What the rows of a run take beside its epochs, about."""
CONDITION: Final = re.compile(r"([\w-]+)(<=|>=|=|<|>)(.+)")
"""Such as `learning_rate>0.01`."""
LEAST_NOISE: Final = 1e-50
MOST_LOSS: Final = 1e150
LEAST_SECONDS: Final = 1e-9
"""Beyond these there is nothing to sort, and PostgreSQL refuses to divide to more than the largest float."""
TEXT_SETTINGS: Final = ("optimizer", "engine")


class RunTable:
    """What is known of every run beside its epochs."""

    def __init__(self, write: Write, reading: Reading) -> None:
        self._write = write
        self._reading = reading

    def page(self, query: RunQuery) -> RunPage:
        """The runs that a query finds, of which the rows of its stretch alone are read whole."""
        wanted, group = sa.and_(*_conditions(query)), _group(query)
        order = tuple(_order(query))
        place = sa.func.row_number().over(partition_by=group, order_by=order).label("place")
        first_ones = sa.select(runs.c.number, place).where(wanted).subquery()
        is_first = sa.and_(runs.c.number == first_ones.c.number, first_ones.c.place == 1)
        rows = sa.select(runs).join(first_ones, is_first).order_by(*order).offset(query.offset).limit(query.limit)
        with self._reading() as connection:
            num_found = connection.scalar(sa.select(sa.func.count(group.distinct())).where(wanted))
            found = tuple(records_of(connection, rows))
            folds = _folds(connection, query, found)
        return RunPage(found, num_found or 0, folds)

    def records(self, run_ids: Sequence[str], viewer: Viewer) -> tuple[RunRecord, ...]:
        """Those of the runs that the viewer has, deleted ones too, in the order of the ids."""
        wanted = sa.select(runs).where(runs.c.id.in_(run_ids), *_of(viewer))
        with self._reading() as connection:
            found = {record.run_id: record for record in records_of(connection, wanted)}
        return tuple(found[run_id] for run_id in run_ids if run_id in found)

    def last(self, owner: str) -> RunRecord | None:
        """The newest run that somebody started and no sweep; None where there is none that is not deleted."""
        is_own = (runs.c.owner == owner, runs.c.sweep_id.is_(None), runs.c.deleted_at.is_(None))
        newest_first = sa.select(runs).where(*is_own).order_by(runs.c.number.desc())
        with self._reading() as connection:
            return next(records_of(connection, newest_first.limit(1)), None)

    def tags(self, viewer: Viewer) -> tuple[str, ...]:
        """Every tag that a run of the viewer has, sorted."""
        has_tags = sa.cast(runs.c.tags, sa.String) != "[]"
        wanted = sa.select(runs.c.tags).where(has_tags, runs.c.deleted_at.is_(None), *_of(viewer))
        with self._reading() as connection:
            return tuple(sorted({tag for tags in connection.scalars(wanted) for tag in tags}))

    def label(self, run_id: str, viewer: Viewer, label: RunLabel) -> bool:
        """Name a run, and keep what is said of it; whether the viewer has such a run."""
        values = {"name": label.name, "note": label.note, "tags": list(label.tags)}
        return self._change([run_id], viewer, values) > 0

    def pin(self, run_ids: Sequence[str], viewer: Viewer, is_pinned: bool) -> int:
        """Keep runs whatever else is let go of, or no longer; how many."""
        return self._change(run_ids, viewer, {"is_pinned": is_pinned})

    def delete(self, run_ids: Sequence[str], viewer: Viewer, at: float) -> tuple[str, ...]:
        """Take runs that are over out of the list, and return them; they can be restored for a while."""
        wanted = sa.and_(
            runs.c.id.in_(run_ids), runs.c.status.in_(OVER), runs.c.deleted_at.is_(None), *_of(viewer)
        )

        def delete(connection: sa.Connection) -> tuple[str, ...]:
            found = tuple(connection.scalars(sa.select(runs.c.id).where(wanted)))
            connection.execute(sa.update(runs).where(runs.c.id.in_(found)).values(deleted_at=at))
            return found

        return self._write(delete)

    def restore(self, run_ids: Sequence[str], viewer: Viewer) -> int:
        """Put deleted runs back into the list; how many are still there."""
        return self._change(run_ids, viewer, {"deleted_at": None})

    def deleted_before(self, moment: float) -> tuple[str, ...]:
        """The runs that were deleted before a moment of Unix time in seconds."""
        with self._reading() as connection:
            return tuple(connection.scalars(sa.select(runs.c.id).where(runs.c.deleted_at < moment)))

    def surplus(self, keep_runs: int | None, keep_bytes: int | None) -> tuple[str, ...]:
        """The runs that are too many for these limits: the oldest that are over and not pinned."""
        listed = sa.select(runs.c.id, runs.c.status, runs.c.is_pinned).where(runs.c.deleted_at.is_(None))
        with self._reading() as connection:
            rows = connection.execute(listed.order_by(runs.c.number)).all()
            sizes = {} if keep_bytes is None else _sizes(connection)
        too_many = 0 if keep_runs is None else len(rows) - keep_runs
        too_big = 0 if keep_bytes is None else sum(RUN_BYTES + sizes.get(row.id, 0) for row in rows) - keep_bytes
        found = []
        for row in rows:
            if too_many <= 0 and too_big <= 0:
                break
            if row.status in OVER and not row.is_pinned:
                found.append(row.id)
                too_many -= 1
                too_big -= RUN_BYTES + sizes.get(row.id, 0)
        return tuple(found)

    def let_go(self, run_ids: Sequence[str]) -> tuple[str, ...]:
        """Delete runs for good, with all that belongs to them, in one transaction; those that were over."""

        def let_go(connection: sa.Connection) -> tuple[str, ...]:
            gone: list[str] = []
            for ids in in_parts(run_ids):
                over = sa.select(runs.c.id).where(runs.c.id.in_(ids), runs.c.status.in_(OVER))
                found = list(connection.scalars(over))
                gone += found
                for table in (blocks, events, checkpoints):
                    connection.execute(sa.delete(table).where(table.c.run_id.in_(found)))
                connection.execute(sa.delete(runs).where(runs.c.id.in_(found)))
            return tuple(gone)

        return self._write(let_go)

    def _change(self, run_ids: Sequence[str], viewer: Viewer, values: Mapping[str, object]) -> int:
        wanted = sa.update(runs).where(runs.c.id.in_(run_ids), *_of(viewer)).values(dict(values))
        return self._write(lambda connection: connection.execute(wanted).rowcount)


def _sizes(connection: sa.Connection) -> dict[str, int]:
    """Bytes of epochs and of checkpoints, by run; what it counts is not read."""
    of_block = sum((sa.func.length(blocks.c[name]) for name in COLUMNS[1:]), sa.func.length(blocks.c[COLUMNS[0]]))
    sizes: dict[str, int] = {}
    for run_ids, of_row in (
        (blocks.c.run_id, of_block),
        (checkpoints.c.run_id, sa.func.length(checkpoints.c.state)),
    ):
        for run_id, num_bytes in connection.execute(sa.select(run_ids, sa.func.sum(of_row)).group_by(run_ids)):
            sizes[run_id] = sizes.get(run_id, 0) + int(num_bytes)
    return sizes


def _of(viewer: Viewer) -> tuple[sa.ColumnElement[bool], ...]:
    return () if viewer.sees_all else (runs.c.owner == viewer.owner,)


def _conditions(query: RunQuery) -> Iterable[sa.ColumnElement[bool]]:
    yield from _of(query.viewer)
    yield runs.c.deleted_at.is_not(None) if query.is_deleted else runs.c.deleted_at.is_(None)
    if query.statuses:
        yield runs.c.status.in_([status.value for status in query.statuses])
    for tag in query.tags:
        yield sa.cast(runs.c.tags, sa.String).contains(json.dumps(tag), autoescape=True)
    for word in words_of(query.text):
        yield _says(word)


def _folds(connection: sa.Connection, query: RunQuery, rows: Iterable[RunRecord]) -> dict[str, Fold]:
    """The trials that rows stand for, by the ids in these rows."""
    folded = {row.sweep_id: row.run_id for row in rows if row.sweep_id and row.sweep_id not in query.unfolded}
    if not folded:
        return {}
    wanted = (*_conditions(query), runs.c.sweep_id.in_(folded))
    columns = sa.select(runs.c.sweep_id, runs.c.id, runs.c.status, runs.c.best_loss)
    trials: defaultdict[str, list[tuple[str, RunStatus, float | None]]] = defaultdict(list)
    for sweep_id, run_id, status, loss in connection.execute(columns.where(*wanted).order_by(*_order(query))):
        trials[sweep_id].append((run_id, RunStatus(status), loss))
    return {folded[sweep_id]: Fold.of(sweep_id, of_sweep) for sweep_id, of_sweep in trials.items()}


def _group(query: RunQuery) -> sa.ColumnElement[str]:
    """What the runs of a row have in common: their sweep, or else nothing."""
    own_row = sa.or_(runs.c.sweep_id.is_(None), runs.c.sweep_id.in_(query.unfolded))
    return sa.case((own_row, runs.c.id), else_=runs.c.sweep_id)


def _says(word: str) -> sa.ColumnElement[bool]:
    """Whether a run has a word somewhere, or a setting that it asks for."""
    condition = CONDITION.fullmatch(word)
    setting = condition[1].replace("-", "_").lower() if condition else ""
    if condition and setting in FIELD_NAMES:
        return _compares(setting, condition[2], condition[3])
    places = (
        runs.c.name.icontains(word, autoescape=True),
        runs.c.note.icontains(word, autoescape=True),
        sa.cast(runs.c.tags, sa.String).icontains(json.dumps(word)[1:-1], autoescape=True),
        runs.c.id.icontains(word, autoescape=True),
        *(runs.c.config[name].as_string().icontains(word, autoescape=True) for name in TEXT_SETTINGS),
    )
    return sa.or_(*places)


def _compares(setting: str, sign: str, value: str) -> sa.ColumnElement[bool]:
    stored = runs.c.config[setting]
    if setting in TEXT_SETTINGS:
        return stored.as_string() == value if sign == "=" else sa.false()
    if value == "all":
        return stored.as_float().is_(None) if sign == "=" else sa.false()
    try:
        asked = float(value)
    except ValueError:
        return sa.false()
    number = stored.as_float()
    compared: dict[str, sa.ColumnElement[bool]] = {
        "=": number == asked,
        "<": number < asked,
        ">": number > asked,
        "<=": number <= asked,
        ">=": number >= asked,
    }
    return compared[sign]


def _order(query: RunQuery) -> Iterable[sa.ColumnElement[Any]]:
    """What has no value stands last either way; the newest first where values are equal."""
    if query.order is not RunOrder.WHEN:
        value = _SORTED_BY[query.order]
        yield sa.nulls_last(value.desc() if query.is_descending else value.asc())
        yield runs.c.number.desc()
    else:
        yield runs.c.number.desc() if query.is_descending else runs.c.number.asc()


_NOISE: Final = runs.c.config["noise"].as_float()
_SORTED_BY: Final[dict[RunOrder, sa.ColumnElement[Any]]] = {
    RunOrder.NAME: sa.func.lower(runs.c.name),
    RunOrder.STATUS: runs.c.status,
    RunOrder.LOSS: runs.c.loss,
    RunOrder.BEST_LOSS: runs.c.best_loss,
    RunOrder.ABOVE_FLOOR: sa.case(
        (_NOISE > LEAST_NOISE, sa.case((runs.c.loss > MOST_LOSS, MOST_LOSS), else_=runs.c.loss) / _NOISE / _NOISE)
    ),
    RunOrder.SLOPE_ERROR: sa.case((runs.c.data_digest.is_(None), sa.func.abs(runs.c.slope - TRUE_SLOPE))),
    RunOrder.SPEED: sa.case((runs.c.seconds > LEAST_SECONDS, runs.c.num_epochs / runs.c.seconds)),
    RunOrder.EPOCHS: runs.c.num_epochs,
}
