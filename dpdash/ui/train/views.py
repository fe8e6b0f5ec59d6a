"""The other looks at a run, one at a time: slope and intercept, the loss surface, the table."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dpdash.charts.run import RunView, lines_up_to
from dpdash.charts.slope import slope_base, slope_update
from dpdash.charts.spec import Figure, Update
from dpdash.charts.surface import surface_base, surface_update
from dpdash.core.config import RunConfig
from dpdash.core.events import COLUMNS
from dpdash.core.translations import Language
from dpdash.files.report import report
from dpdash.problem.preview import preview
from dpdash.ui.parts.controls import choice
from dpdash.ui.parts.exports import export_menu, import_form
from dpdash.ui.parts.live_chart import chart
from dpdash.ui.session.inputs import Input
from dpdash.ui.session.language import _, current, number, setting
from dpdash.ui.session.state import NUM_SHARED
from dpdash.ui.train.charts import NUM_BASES

GRID_SIZE: Final = 61
GRID_MARGIN: Final = 0.35
"""Room around the untrained line and the optimum, as a share of their distance: a run overshoots."""
MIN_GRID_SPAN: Final = 1.0
MAX_PATH_POINTS: Final = 120
MAX_TABLE_ROWS: Final = 200
TABLE_DIGITS: Final = 5


class ViewName(StrEnum):
    """The looks to choose from."""

    SURFACE = "surface"
    SLOPE = "slope"
    TABLE = "table"


VIEW: Final = Input("view", ViewName.SURFACE)


@dataclass(slots=True)
class Newest:
    """What the last refresh has shown, for the download buttons: they stand outside of what is refreshed."""

    view: RunView


def choose_view() -> ViewName:
    """Show the switch; the choice stays over refreshes and runs."""
    names = {ViewName.SURFACE: _("Loss surface"), ViewName.SLOPE: _("Slope"), ViewName.TABLE: _("Table")}
    return choice(VIEW, _("More views"), names)


def show_view_chart(chosen: ViewName, view: RunView) -> None:
    """Show what stands still of the chosen look, if it is a chart."""
    if chosen == ViewName.SURFACE:
        chart(chosen, view.name, [_surface_base(view.config, current())])
        if view.config.hidden_depth:
            st.caption(_("The path is that of the straight line that fits the network's predictions best."))
    elif chosen == ViewName.SLOPE:
        best = view.preview.optimum
        chart(chosen, view.name, [slope_base(view.config, current(), (best.slope, best.intercept))])


@lru_cache(maxsize=NUM_SHARED)
def view_updates(chosen: ViewName, view: RunView) -> dict[str, list[Update]]:
    """What brings the chart of the chosen look up to the epoch shown."""
    if chosen == ViewName.SURFACE:
        return {chosen: [_surface_update(view)]}
    if chosen == ViewName.SLOPE and view.history is not None:
        return {chosen: [slope_update(view.history)]}
    return {}


def _surface_update(view: RunView) -> Update:
    path = lines_up_to(view, MAX_PATH_POINTS, inclusive=True) or [view.line]
    path_slopes, path_intercepts = zip(*path, strict=True)
    return surface_update(path_slopes, path_intercepts, view.line)


@lru_cache(maxsize=NUM_BASES)
def _surface_base(config: RunConfig, language: Language) -> Figure:
    slopes, intercepts, losses = _grid(config)
    best = preview(config).optimum
    return surface_base(slopes, intercepts, losses, (best.slope, best.intercept), language, config.true_line)


def _grid(config: RunConfig) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Slopes, intercepts and the loss of each pair of them, around the way that training has to go."""
    known = preview(config)
    slopes = _span(known.slope, known.optimum.slope)
    intercepts = _span(known.intercept, known.optimum.intercept)
    losses = known.moments.loss_at(slopes[np.newaxis, :], intercepts[:, np.newaxis])
    return slopes, intercepts, np.asarray(losses)


def _span(start: float, end: float) -> NDArray[np.float64]:
    margin = max(abs(end - start) * GRID_MARGIN, MIN_GRID_SPAN)
    return np.linspace(min(start, end) - margin, max(start, end) + margin, GRID_SIZE)


def show_table(view: RunView) -> None:
    """Show the run's epochs, evenly spread where there are many."""
    rows = view.history.rows(MAX_TABLE_ROWS) if view.history else ()
    names = {
        "loss": _("Loss"),
        "slope": _("Slope"),
        "intercept": _("Intercept"),
        "learning_rate": _("Learning rate"),
        "seconds": _("Seconds of training"),
    }
    table = pd.DataFrame(
        {_("Epoch"): [row.epoch for row in rows]}
        | {names[column]: [_written(column, getattr(row, column)) for row in rows] for column in COLUMNS}
    )
    st.dataframe(table, hide_index=True, height=400, placeholder="–")
    if view.history is not None and len(rows) < view.history.num_epochs:
        st.caption(
            _("{shown} of {epochs} epochs; the file has all of them.").format(
                shown=number(len(rows)), epochs=number(view.history.num_epochs)
            )
        )


def show_downloads(newest: Newest) -> None:
    """Show what can be taken away, made when it is asked for, and what brings a run in."""
    view, language = newest.view, current()
    with st.container(horizontal=True):
        st.download_button(
            _("Charts of the epoch shown (HTML)"),
            data=lambda: report([newest.view], language),
            file_name=f"dpdash-{view.name}.html",
            mime="text/html",
            icon=":material/download:",
            on_click="ignore",
        )
    if view.run_id is not None:
        export_menu((view.run_id,))
    import_form()


def _written(column: str, value: float) -> str:
    return setting(value) if column == "learning_rate" else number(value, TABLE_DIGITS)
