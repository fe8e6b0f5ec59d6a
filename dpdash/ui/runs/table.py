"""A stretch of the list of runs as a table, whose rows can be selected."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from dpdash.core.config import TRUE_SLOPE
from dpdash.core.errors import StoreError, UnknownRunError
from dpdash.core.history import mean_speed
from dpdash.store.store import RunRecord
from dpdash.ui.parts.metrics import signed
from dpdash.ui.parts.names import name_of
from dpdash.ui.room.run_row import settings_in_short
from dpdash.ui.session.clock import written_time
from dpdash.ui.session.language import _, current, number
from dpdash.web.process import run_service

ROW_HEIGHT: Final = 35
"""Pixels, as Streamlit has it."""
NAME_WIDTH: Final = 150
MOST_ROWS_SEEN: Final = 15
DIGITS: Final = 4
LARGEST: Final = 2.0**53 - 1
"""The browser's table writes what is larger digit by digit, with a warning, whatever it is told."""
ROUND_KEY: Final = "runs_table_round"
"""Goes up when the selection is to begin anew."""

Write = Callable[[Any], str]


def show_table(rows: Sequence[RunRecord], chosen: Collection[str]) -> list[str]:
    """Show runs with those that are chosen selected; the ids of the rows that are selected now."""
    numbers = _numbers()
    measured_columns = {label: [read(row) for row in rows] for label, (read, _write) in numbers.items()}
    columns: dict[str, list[Any]] = {
        _("Name"): [name_of(row) for row in rows],
        # The first three are what a phone has room for.
        _("Loss"): measured_columns.pop(_("Loss")),
        _("Status"): [current().name(row.status) for row in rows],
        **measured_columns,
        _("Epochs"): [_progress(row) for row in rows],
        _("Engine × replicas"): [current().engine(row.config) for row in rows],
        _("Started"): [written_time(row.created_at) for row in rows],
        _("Marks"): [_marks(row) for row in rows],
        _("Tags"): [", ".join(row.tags) for row in rows],
        _("Settings"): [settings_in_short(row.config) for row in rows],
        _("Note"): [row.note for row in rows],
    }
    table = pd.DataFrame(columns)
    measured = table[list(numbers)].astype("float64")
    table[list(numbers)] = measured.clip(-LARGEST, LARGEST)
    # What stands in a cell is written as the reader's language does; what the header sorts by is the number.
    written = table.style.format({label: write for label, (_read, write) in numbers.items()}, na_rep="–")
    for index, label in measured[measured.abs() > LARGEST].stack().index:
        written.format(_always(numbers[label][1](measured.at[index, label])), subset=([index], [label]))
    selected = st.dataframe(
        written,
        hide_index=True,
        height=ROW_HEIGHT * (1 + min(len(rows), MOST_ROWS_SEEN)) + 3,
        column_config={_("Name"): st.column_config.TextColumn(width=NAME_WIDTH)},
        key=_key(rows),
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={
            "selection": {"rows": [index for index, row in enumerate(rows) if row.run_id in chosen]}
        },
        alt=_("Table of {runs} runs; the arrow keys move through it, and space selects a row.").format(
            runs=len(rows)
        ),
    )
    positions = selected["selection"]["rows"]
    return [rows[index].run_id for index in positions if 0 <= index < len(rows)]


def select_anew() -> None:
    """Let the table begin with the runs that are chosen now, whatever was selected in it."""
    st.session_state[ROUND_KEY] = st.session_state.get(ROUND_KEY, 0) + 1


def above_floor(row: RunRecord) -> float | None:
    """How far the last loss is above the noise floor, in percent of it; None where there is no noise."""
    floor = row.config.noise**2
    return None if row.loss is None or floor == 0 else 100 * (row.loss / floor - 1)


def slope_error(row: RunRecord) -> float | None:
    """How far the slope is off the true one."""
    return None if row.slope is None else row.slope - TRUE_SLOPE


def speed(row: RunRecord) -> float | None:
    """Epochs a second of training, as the run's own page has it: now, or of the whole run once it is over."""
    if row.status.is_over:
        return mean_speed(row.num_epochs, row.seconds)
    try:
        return run_service().runs.snapshot(row.run_id).history.epochs_per_second
    except (UnknownRunError, StoreError):
        return None


def _numbers() -> Mapping[str, tuple[Callable[[RunRecord], float | None], Write]]:
    """The columns of numbers, each with what it shows of a run and how it is written."""
    return {
        _("Loss"): (lambda row: row.loss, _loss),
        _("Best loss"): (lambda row: row.best_loss, _loss),
        _("Above the floor, %"): (above_floor, number),
        _("Slope"): (lambda row: row.slope, _loss),
        _("Slope error"): (slope_error, signed),
        _("Epochs/s"): (speed, number),
    }


def _always(text: str) -> Write:
    return lambda _value: text


def _loss(value: float) -> str:
    return number(value, DIGITS)


def _progress(row: RunRecord) -> str:
    return _("{epoch} of {epochs}").format(epoch=number(row.num_epochs), epochs=number(row.config.epochs))


def _marks(row: RunRecord) -> str:
    marks = (
        (row.is_pinned, _("pinned")),
        (row.is_imported, _("imported")),
        (not row.is_complete, _("not saved whole")),
    )
    return ", ".join(name for holds, name in marks if holds)


def _key(rows: Sequence[RunRecord]) -> str:
    """Another table for other rows: the browser tells a selection by the numbers of rows alone."""
    ids = " ".join(row.run_id for row in rows)
    digest = hashlib.sha256(ids.encode()).hexdigest()[:16]
    return f"runs_table_{digest}_{st.session_state.get(ROUND_KEY, 0)}"
