"""The chosen runs side by side: losses in one chart, results, and the settings in which they differ."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dpdash.charts.loss import MAX_POINTS
from dpdash.charts.overlay import Along, Axes, OverlaidRun, Points, along, common_floor, overlay_figure
from dpdash.charts.smoothing import smoothed, thinned
from dpdash.core.errors import N_, StoreError, UnknownRunError
from dpdash.core.history import HistorySnapshot
from dpdash.core.optimum import noise_floor
from dpdash.store.store import RunRecord
from dpdash.ui.parts.controls import choice, selection, steps, toggle
from dpdash.ui.parts.header import show_part
from dpdash.ui.parts.live_chart import chart
from dpdash.ui.parts.metrics import signed
from dpdash.ui.parts.names import differing, names_of, value_of
from dpdash.ui.parts.notices import show_error
from dpdash.ui.runs.table import slope_error, speed
from dpdash.ui.session.inputs import Input
from dpdash.ui.session.language import _, current, number, setting
from dpdash.web.process import run_service

MOST_OVERLAID: Final = 12
NUM_CURVES: Final = 64
"""Curves that are kept for all pages."""
WINDOWS: Final = (1, 5, 11, 25, 51, 101, 251, 501, 1001)
ALONG_NAMES: Final = {
    Along.EPOCHS: N_("Epochs"),
    Along.SECONDS: N_("Seconds of training"),
    Along.SAMPLES: N_("Samples seen"),
}
NONE: Final = "none"
BASELINE: Final = Input("runs_baseline", NONE)
PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class _Side:
    """A run of the comparison."""

    number: int
    name: str
    record: RunRecord
    history: HistorySnapshot


def show_overlay(chosen: Sequence[RunRecord], baseline_of: Sequence[RunRecord]) -> None:
    """Show the chosen runs beside each other and beside the baseline, which stays when others are chosen.

    `baseline_of` has the run that is pinned as the baseline, if there is one.
    """
    if not chosen:
        return
    records = {record.run_id: record for record in (*chosen[:MOST_OVERLAID], *baseline_of)}
    sides = _sides(list(records.values()))
    if not sides:
        return
    show_part(_("Comparison"))
    if len(chosen) > MOST_OVERLAID:
        st.caption(
            _("The first {drawn} of {chosen} chosen runs are drawn.").format(
                drawn=number(MOST_OVERLAID), chosen=number(len(chosen))
            )
        )
    drawn = st.container(key="runs_overlay_chart")
    axes, window, baseline = _controls(sides)
    overlaid = [_overlaid(side, axes.along, window, side is baseline) for side in sides]
    floor = common_floor(noise_floor(side.record.config) for side in sides)
    figure = overlay_figure(overlaid, axes, floor, current())
    with drawn:
        chart("overlay", _shown_as(sides, axes), [figure])
    if window > 1 and any(run.smooth is None for run in overlaid):
        st.caption(_("Not every run can be smoothed: its epochs are not all stored."))
    _show_results(sides, baseline)
    _show_differing_settings(sides)


def pinned_baseline() -> str | None:
    """Id of the run that was chosen as the baseline."""
    return BASELINE.get() if BASELINE.get() != NONE else None


def _sides(records: Sequence[RunRecord]) -> list[_Side]:
    found = []
    for place, (record, name) in enumerate(zip(records, names_of(records), strict=True), start=1):
        try:
            history = run_service().runs.snapshot(record.run_id).history
        except (UnknownRunError, StoreError) as error:
            show_error(error)
            continue
        if history.num_epochs:
            found.append(_Side(place, name, record, history))
    return found


def _controls(sides: Sequence[_Side]) -> tuple[Axes, int, _Side | None]:
    with st.container(horizontal=True, vertical_alignment="bottom", key="runs_overlay"):
        names = {way: _(text) for way, text in ALONG_NAMES.items()}
        way = choice(Input("runs_along", Along.EPOCHS), _("Loss over"), names)
        is_x_log = toggle(Input("runs_x_log", False), _("Logarithmic across"))
        is_y_log = toggle(Input("runs_y_log", True), _("Logarithmic upwards"))
    with st.container(horizontal=True, vertical_alignment="bottom", key="runs_overlay_more"):
        window = steps(
            Input("runs_smoothing", WINDOWS[0]),
            _("Smoothing"),
            WINDOWS,
            _window_text,
            help=_(
                "Geometric mean over so many epochs around each, worked out once over all of them, whatever part "
                "is zoomed in on. The losses themselves stay, faint."
            ),
        )
        baseline = _choose_baseline(sides)
    return Axes(way, is_x_log, is_y_log), window, baseline


def _window_text(window: int) -> str:
    return _("none") if window == 1 else _("{number} epochs").format(number=setting(window))


def _choose_baseline(sides: Sequence[_Side]) -> _Side | None:
    by_id = {side.record.run_id: side for side in sides}
    names = {NONE: _("none")} | {run_id: _numbered(side) for run_id, side in by_id.items()}
    chosen = selection(
        BASELINE,
        _("Baseline"),
        names,
        help=_("The run that the others are compared with. It stays when you choose other runs."),
    )
    return by_id.get(chosen)


def _numbered(side: _Side) -> str:
    return f"{side.number} · {side.name}"


def _overlaid(side: _Side, way: Along, window: int, is_baseline: bool) -> OverlaidRun:
    config, history = side.record.config, side.history
    epochs, losses = history.curve("loss", MAX_POINTS)
    raw = Points(along(way, epochs, history, config), losses)
    smooth = None
    found = _smooth_curve(side.record.run_id, history, window) if window > 1 else None
    if found is not None:
        smooth = Points(along(way, found[0], history, config), found[1])
    return OverlaidRun(side.number, side.name, raw, smooth, history.num_epochs, is_baseline)


@lru_cache(maxsize=NUM_CURVES)
def _smooth_curve(
    run_id: str, history: HistorySnapshot, window: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Epochs and losses of the smoothed curve, thinned; None where not every epoch can be read."""
    losses = _every_loss(run_id, history)
    if losses is None:
        return None
    curve = smoothed(losses, window)
    kept = thinned(curve, MAX_POINTS)
    return kept + 1, curve[kept]


def _every_loss(run_id: str, history: HistorySnapshot) -> NDArray[Any] | None:
    if history.width == 1:
        losses: NDArray[Any] = history.first[0]
        return losses
    try:
        block = run_service().runs.rows(run_id)
    except StoreError:
        return None
    return None if block is None else block.loss[: history.num_epochs]


def _shown_as(sides: Sequence[_Side], axes: Axes) -> str:
    """What the zoom is for: other smoothing leaves it where it is, other runs or axes do not."""
    ids = " ".join(side.record.run_id for side in sides)
    digest = hashlib.sha256(ids.encode()).hexdigest()[:16]
    return f"overlay-{axes.along}-{axes.is_x_log}-{axes.is_y_log}-{digest}"


def _show_results(sides: Sequence[_Side], baseline: _Side | None) -> None:
    """Show what came of each run, and the difference to the baseline in percent."""
    reads = {_("Loss"): _loss, _("Best loss"): _best, _("Epochs/s"): speed, _("Seconds of training"): _seconds}
    columns: dict[str, list[str]] = {
        _("Name"): [_numbered(side) for side in sides],
        _("Status"): [current().name(side.history.status) for side in sides],
    }
    for label, read in reads.items():
        values = [read(side.record) for side in sides]
        columns[label] = ["–" if value is None else number(float(value), 4) for value in values]
        if baseline is not None:
            own = read(baseline.record)
            columns[_("{column}, to the baseline").format(column=label)] = [
                _relative(value, own) for value in values
            ]
    errors = [slope_error(side.record) for side in sides]
    columns[_("Slope error")] = ["–" if error is None else signed(error) for error in errors]
    st.dataframe(pd.DataFrame(columns), hide_index=True, key="runs_results")


def _relative(value: float | None, baseline: float | None) -> str:
    """The difference to the baseline, in percent of it."""
    if value is None or not baseline:
        return "–"
    return _("{percent} %").format(percent=signed(PERCENT * (value / baseline - 1)))


def _loss(record: RunRecord) -> float | None:
    return record.loss


def _best(record: RunRecord) -> float | None:
    return record.best_loss


def _seconds(record: RunRecord) -> float | None:
    return record.seconds or None


def _show_differing_settings(sides: Sequence[_Side]) -> None:
    if len(sides) < 2:
        return
    names = differing([side.record for side in sides])
    if not names:
        st.caption(_("All settings of these runs are the same."))
        return
    show_part(_("Settings that differ"))
    columns = {_("Setting"): [current().title(name) for name in names]}
    columns |= {_numbered(side): [value_of(side.record, name) for name in names] for side in sides}
    st.dataframe(pd.DataFrame(columns), hide_index=True, key="runs_settings")
