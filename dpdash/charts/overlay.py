"""The loss of several runs in one figure, by epoch, by time, or by samples seen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dpdash.charts.spec import SMALL_TEXT_SIZE, Figure, Spec, base_layout, packed
from dpdash.core.config import RunConfig
from dpdash.core.history import HistorySnapshot
from dpdash.core.translations import Language

NUM_COLORS: Final = 8
DASHES: Final = ("solid", "dash", "dot")
"""With more runs than colours, colour and dash together are a run's own."""
MOST_NAMED: Final = 4
"""With more, the legend numbers the curves as the table below does: names would cover the figure."""
LONGEST_NAME: Final = 36
FAINT: Final = 0.3
"""Opacity of a raw line behind its smoothed one."""

Floats = NDArray[np.float64]


class Along(StrEnum):
    """What the loss is drawn over."""

    EPOCHS = "epochs"
    SECONDS = "seconds"
    SAMPLES = "samples"


@dataclass(frozen=True, slots=True)
class Axes:
    """What the loss is drawn over, and which axes are logarithmic."""

    along: Along = Along.EPOCHS
    is_x_log: bool = False
    is_y_log: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Some points of a curve, (num_points,) each, along the axis that is wanted."""

    x: Floats
    loss: Floats


@dataclass(frozen=True, slots=True, eq=False)
class OverlaidRun:
    """A run in the figure."""

    number: int
    """Counted from 1, as in the table below."""
    name: str
    raw: Points
    smooth: Points | None
    """None where nothing is smoothed."""
    num_epochs: int
    is_baseline: bool = False


def along(axis: Along, epochs: NDArray[np.int64], history: HistorySnapshot, config: RunConfig) -> Floats:
    """Where epochs lie on the axis; seconds of training are those measured, in between on a straight line."""
    if axis is Along.EPOCHS:
        return epochs.astype(np.float64)
    if axis is Along.SAMPLES:
        return epochs.astype(np.float64) * config.samples
    known = np.concatenate([history.first_epoch_of_bucket, history.last_epoch_of_bucket])
    seconds = np.concatenate([history.first[-1], history.last[-1]])
    order = np.argsort(known, kind="stable")
    found: Floats = np.interp(epochs, known[order], seconds[order])
    return found


def common_floor(floors: Iterable[float | None]) -> float | None:
    """The noise floor of all runs; None where they have different ones."""
    different = set(floors)
    return different.pop() if len(different) == 1 else None


def overlay_figure(
    runs: Sequence[OverlaidRun], axes: Axes, noise_floor: float | None, language: Language
) -> Figure:
    """Each run's loss, with the raw line faint behind the smoothed one.

    `noise_floor` is that of all runs; None where they have different ones.
    """
    _ = language.text
    titles = {
        Along.EPOCHS: _("epoch"),
        Along.SECONDS: _("seconds of training"),
        Along.SAMPLES: _("samples seen"),
    }
    layout = base_layout(
        _("Loss of the chosen runs"), titles[axes.along], _("loss (mean squared error)"), language
    )
    if axes.is_x_log:
        layout["xaxis"] |= {"type": "log"}
    if axes.is_y_log:
        layout["yaxis"] |= {"type": "log", "tickformat": "~g"}
    traces = [trace for run in runs for trace in _traces(run, len(runs), titles[axes.along], language)]
    if noise_floor:
        traces.append(_floor(runs, noise_floor, language))
    note = _thinning_note(runs, language)
    layout["annotations"] = [_corner(note)] if note else []
    description = _("Line chart of the loss of {runs} runs: {names}.").format(
        runs=len(runs), names=", ".join(run.name for run in runs)
    )
    return Figure(layout["title"]["text"], description, tuple(traces), layout)


def _thinning_note(runs: Sequence[OverlaidRun], language: Language) -> str:
    """How far the curves are thinned; empty where every epoch is drawn."""
    _ = language.text
    thinned = [run for run in runs if len(run.raw.x) < run.num_epochs]
    if not thinned:
        return ""
    longest = max(thinned, key=lambda run: run.num_epochs)
    return _("thinned: {drawn} of {epochs} epochs drawn, extremes kept").format(
        drawn=len(longest.raw.x), epochs=longest.num_epochs
    )


def _traces(run: OverlaidRun, num_runs: int, x_title: str, language: Language) -> list[Spec]:
    color = f"role:series-{(run.number - 1) % NUM_COLORS + 1}"
    width = 4.0 if run.is_baseline else 2.5
    line = {"color": color, "width": width, "dash": DASHES[(run.number - 1) // NUM_COLORS % len(DASHES)]}
    raw = _line(f"raw-{run.number}", run, run.raw, line, num_runs, x_title, language)
    if run.smooth is None:
        return [raw]
    raw |= {"line": {"color": f"{color}@{FAINT}", "width": 1.5}, "showlegend": False, "hoverinfo": "skip"}
    del raw["hovertemplate"]
    return [raw, _line(f"smooth-{run.number}", run, run.smooth, line, num_runs, x_title, language)]


def _line(
    uid: str, run: OverlaidRun, points: Points, line: Spec, num_runs: int, x_title: str, language: Language
) -> Spec:
    _ = language.text
    hover = _("{x_title} {x}: loss {loss}").format(x_title=x_title, x="%{x:.4~g}", loss="%{y:.4~g}")
    return {
        "uid": uid,
        "type": "scatter",
        "mode": "lines" if len(points.x) > 1 else "markers",
        "name": _legend_name(run, num_runs, language),
        "legendgroup": str(run.number),
        "x": packed(points.x),
        "y": packed(points.loss),
        "line": line,
        "marker": {"color": line["color"]},
        "hovertemplate": f"%{{fullData.name}}<br>{hover}<extra></extra>",
    }


def _legend_name(run: OverlaidRun, num_runs: int, language: Language) -> str:
    """Escaped, for plotly takes a text for markup."""
    _ = language.text
    name = str(run.number)
    if num_runs <= MOST_NAMED:
        short = run.name if len(run.name) <= LONGEST_NAME else run.name[: LONGEST_NAME - 1] + "…"
        name = f"{run.number} {escape(short, quote=False)}"
    return _("{name} (baseline)").format(name=name) if run.is_baseline else name


def _floor(runs: Sequence[OverlaidRun], noise_floor: float, language: Language) -> Spec:
    _ = language.text
    ends = [run.raw.x[[0, -1]] for run in runs if len(run.raw.x)]
    low, high = (min(end[0] for end in ends), max(end[1] for end in ends)) if ends else (0.0, 1.0)
    return {
        "uid": "noise-floor",
        "type": "scatter",
        "mode": "lines",
        "name": _("noise floor"),
        "x": [float(low), float(high)],
        "y": [noise_floor, noise_floor],
        "line": {"color": "role:reference", "width": 2, "dash": "dash"},
        "hoverinfo": "skip",
    }


def _corner(text: str) -> Spec:
    """A note inside the figure, at its upper right."""
    return {
        "text": text,
        "x": 1,
        "xref": "paper",
        "xanchor": "right",
        "y": 1,
        "yref": "paper",
        "yanchor": "top",
        "showarrow": False,
        "font": {"size": SMALL_TEXT_SIZE},
        "bgcolor": "role:background@0.8",
    }
