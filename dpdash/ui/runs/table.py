"""A stretch of the list of runs as a table, whose rows can be selected."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from dpdash.core.config import RunConfig
from dpdash.core.errors import StoreError, UnknownRunError
from dpdash.core.history import mean_speed
from dpdash.core.optimum import noise_floor
from dpdash.store.query import Fold, RunPage
from dpdash.store.store import RunRecord
from dpdash.ui.parts.metrics import signed
from dpdash.ui.parts.names import name_of, sweep_title, value_of
from dpdash.ui.session.clock import written_time
from dpdash.ui.session.language import _, current, number
from dpdash.web.process import run_service, sweep_service

ROW_HEIGHT: Final = 35
"""Pixels, as Streamlit has it."""
NAME_WIDTH: Final = 150
MOST_ROWS_SEEN: Final = 15
DIGITS: Final = 4
LARGEST: Final = 2.0**53 - 1
"""The browser's table writes what is larger digit by digit, with a warning, whatever it is told."""
NOTHING: Final = "–"
TEXTS: Final = ("optimizer",)
"""Settings that are no numbers; engine and replicas have a column of their own."""
MOVED: Final = "learning_rate"
"""The setting that a person can move while a run trains."""
OPTIONAL: Final = ("global_batch_size", "bucket_cap_mb")
"""Settings that need not be set: a batch then has all samples, and DDP's buckets are torch's own."""
ROUND_KEY: Final = "runs_table_round"
"""Goes up when the selection is to begin anew."""

Write = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of numbers: what it shows of a run, and how that is written."""

    read: Callable[[RunRecord], float | None]
    write: Write


def show_table(page: RunPage, chosen: Collection[str], wanted: Collection[str]) -> list[str]:
    """Show runs with those that are chosen selected, and settings in columns; the ids of the rows selected now.

    A row that stands for the trials of a sweep is selected where all of them are chosen.
    """
    rows, numbers = page.rows, _numbers() | _settings(wanted)
    columns = _columns(page, numbers, wanted)
    table = pd.DataFrame(columns)
    measured = table[list(numbers)].astype("float64")
    table[list(numbers)] = measured.clip(-LARGEST, LARGEST)
    # What stands in a cell is written as the reader's language does; what the header sorts by is the number.
    written = table.style
    written.format({label: column.write for label, column in numbers.items()}, na_rep=NOTHING)
    for index, place in np.argwhere(measured.abs().to_numpy() > LARGEST):
        label = measured.columns[place]
        written.format(_always(numbers[label].write(measured.at[index, label])), subset=([index], [label]))
    _write_settings(written, page)
    selected = st.dataframe(
        written,
        hide_index=True,
        height=ROW_HEIGHT * (1 + min(len(rows), MOST_ROWS_SEEN)) + 3,
        column_config={_("Name"): st.column_config.TextColumn(width=NAME_WIDTH)},
        key=_key(page, wanted),
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={
            "selection": {
                "rows": [
                    index for index, row in enumerate(rows) if set(stands_for(page, row.run_id)) <= set(chosen)
                ]
            }
        },
        placeholder=NOTHING,
        alt=_("Table of {runs} runs; the arrow keys move through it, and space selects a row.").format(
            runs=len(rows)
        ),
    )
    positions = selected["selection"]["rows"]
    return [rows[index].run_id for index in positions if 0 <= index < len(rows)]


def stands_for(page: RunPage, run_id: str) -> tuple[str, ...]:
    """The runs that a row is there for."""
    fold = page.folds.get(run_id)
    return (run_id,) if fold is None else fold.run_ids


def select_anew() -> None:
    """Let the table begin with the runs that are chosen now, whatever was selected in it."""
    st.session_state[ROUND_KEY] = st.session_state.get(ROUND_KEY, 0) + 1


def above_floor(row: RunRecord) -> float | None:
    """How far the last loss is above the noise floor, in percent of it; None where there is no noise."""
    floor = noise_floor(row.config)
    return None if row.loss is None or not floor else 100 * (row.loss / floor - 1)


def slope_error(row: RunRecord) -> float | None:
    """How far the slope is off the true one; None where nobody knows that."""
    true_line = row.config.true_line
    return None if row.slope is None or true_line is None else row.slope - true_line[0]


def speed(row: RunRecord) -> float | None:
    """Epochs a second of training, as the run's own page has it: now, or of the whole run once it is over."""
    if row.status.is_over:
        return mean_speed(row.num_epochs, row.seconds)
    try:
        return run_service().runs.snapshot(row.run_id).history.epochs_per_second
    except (UnknownRunError, StoreError):
        return None


def _columns(page: RunPage, numbers: Mapping[str, _Column], wanted: Collection[str]) -> dict[str, list[Any]]:
    def of_run(write: Callable[[RunRecord], Any], absent: Any = "") -> list[Any]:
        """What a row says of its run; of trials together there is no such thing."""
        return [absent if row.run_id in page.folds else write(row) for row in page.rows]

    rows = page.rows
    read = {label: of_run(column.read, None) for label, column in numbers.items()}
    best = _("Best loss")
    read[best] = [
        loss if row.run_id not in page.folds else page.folds[row.run_id].best_loss
        for row, loss in zip(rows, read[best], strict=True)
    ]
    settings = {
        current().title(setting): read.pop(current().title(setting))
        if setting not in TEXTS
        else of_run(lambda row, setting=setting: value_of(row, setting))  # type: ignore[misc]  # bound now
        for setting in wanted
    }
    return {
        _("Name"): _names(page),
        # The first three are what a phone has room for.
        _("Loss"): read.pop(_("Loss")),
        _("Status"): [_status(page, row) for row in rows],
        **settings,
        _("Engine × replicas"): of_run(lambda row: current().engine(row.config)),
        **read,
        _("Epochs trained"): of_run(_progress),
        _("Started"): [written_time(row.created_at) for row in rows],
        _("Marks"): of_run(_marks),
        _("Tags"): of_run(lambda row: ", ".join(row.tags)),
        _("Note"): of_run(lambda row: row.note),
    }


def _numbers() -> dict[str, _Column]:
    """The columns of results."""
    return {
        _("Loss"): _Column(lambda row: row.loss, _loss),
        _("Best loss"): _Column(lambda row: row.best_loss, _loss),
        _("Above the floor, %"): _Column(above_floor, number),
        _("Slope"): _Column(lambda row: row.slope, _loss),
        _("Slope error"): _Column(slope_error, signed),
        _("Epochs/s"): _Column(speed, number),
    }


def _settings(wanted: Collection[str]) -> dict[str, _Column]:
    """The columns of settings that are numbers."""
    return {
        current().title(setting): _Column(
            lambda row, setting=setting: _sorted_by(row.config, setting),  # type: ignore[misc]  # bound now
            current().value,
        )
        for setting in wanted
        if setting not in TEXTS
    }


def _sorted_by(config: RunConfig, setting: str) -> float | None:
    value: float | None = getattr(config, setting)
    return config.samples if value is None and setting == "global_batch_size" else value


def _write_settings(written: Styler, page: RunPage) -> None:
    """Write what is more than a number: how a learning rate was moved, and what is not set."""
    for setting in (MOVED, *OPTIONAL):
        label = current().title(setting)
        for index, row in enumerate(page.rows):
            is_more = row.learning_rate_changes if setting == MOVED else getattr(row.config, setting) is None
            if label in written.columns and row.run_id not in page.folds and is_more:
                written.format(_always(value_of(row, setting)), subset=([index], [label]))


def _names(page: RunPage) -> list[str]:
    plans = {head.value_id: head.plan for head in sweep_service().sweeps()} if page.folds else {}

    def of_sweep(fold: Fold) -> str:
        text = _("Sweep of {number} runs").format(number=number(len(fold.run_ids)))
        return f"{text}: {sweep_title(plans[fold.sweep_id])}" if fold.sweep_id in plans else text

    return [of_sweep(page.folds[row.run_id]) if row.run_id in page.folds else name_of(row) for row in page.rows]


def _status(page: RunPage, row: RunRecord) -> str:
    fold = page.folds.get(row.run_id)
    if fold is None:
        return current().name(row.status)
    return ", ".join(f"{current().name(status)}: {number(count)}" for status, count in fold.statuses.items())


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


def _key(page: RunPage, wanted: Collection[str]) -> str:
    """Another table for other rows: the browser tells a selection by the numbers of rows alone."""
    folds = page.folds
    ids = [folds[row.run_id].sweep_id if row.run_id in folds else row.run_id for row in page.rows]
    digest = hashlib.sha256(" ".join([*ids, *wanted]).encode()).hexdigest()[:16]
    return f"runs_table_{digest}_{st.session_state.get(ROUND_KEY, 0)}"
