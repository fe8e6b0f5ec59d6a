"""The loss over all lines (slope, intercept), and the way that a run takes down it."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpdash.charts.spec import (
    SMALL_TEXT_SIZE,
    Figure,
    Spec,
    Update,
    base_layout,
    decades,
    packed,
    power_of_ten,
)
from dpdash.core.config import TRUE_LINE
from dpdash.core.translations import Language

SMALLEST_LOSS: Final = 1e-12
"""Where there is no noise the optimum's loss is 0, which has no logarithm."""
COLOR_BAR_WIDTH: Final = 84


def surface_base(
    grid_slope: ArrayLike,
    grid_intercept: ArrayLike,
    grid_loss: ArrayLike,
    optimum: tuple[float, float],
    language: Language,
    true_line: tuple[float, float] | None = TRUE_LINE,
) -> Figure:
    """Contours of the loss in equal ratios. `grid_loss` has a row for each intercept, a column for each slope."""
    _ = language.text
    slopes, intercepts = np.asarray(grid_slope), np.asarray(grid_intercept)
    log_loss = np.log10(np.maximum(np.asarray(grid_loss, dtype=np.float64), SMALLEST_LOSS))
    layout = base_layout(_("Loss of every line"), _("slope"), _("intercept"), language)
    layout["margin"] = layout["margin"] | {"r": COLOR_BAR_WIDTH}
    layout["xaxis"]["range"] = [float(slopes.min()), float(slopes.max())]
    layout["yaxis"]["range"] = [float(intercepts.min()), float(intercepts.max())]
    traces = (
        _contours(slopes, intercepts, log_loss, language),
        *([_point("true", _("true line"), true_line, "cross-thin", "role:text")] if true_line else ()),
        _point("optimum", _("least squares"), optimum, "circle-open", "role:text"),
        {
            "uid": "path",
            "type": "scatter",
            "mode": "lines",
            "name": _("path of the run"),
            "line": {"color": "role:primary", "width": 3},
            "hoverinfo": "skip",
        },
        _point("now", _("now"), None, "circle", "role:primary"),
    )
    description = _("Contour map of the loss over slope and intercept, with the path of the run to the optimum.")
    return Figure(layout["title"]["text"], description, traces, layout)


def surface_update(
    path_slopes: Sequence[float], path_intercepts: Sequence[float], point: tuple[float, float] | None
) -> Update:
    """The path so far and the point it has reached, or looks back to."""
    x, y = ([point[0]], [point[1]]) if point else ([], [])
    return Update(
        traces={"path": {"x": packed(path_slopes), "y": packed(path_intercepts)}, "now": {"x": x, "y": y}}
    )


def _contours(
    slopes: NDArray[np.float64],
    intercepts: NDArray[np.float64],
    log_loss: NDArray[np.float64],
    language: Language,
) -> Spec:
    _ = language.text
    ticks = decades(float(log_loss.min()), float(log_loss.max()))
    return {
        "uid": "surface",
        "type": "contour",
        "x": packed(slopes),
        "y": packed(intercepts),
        "z": packed(log_loss),
        "colorscale": "role:sequential",
        "ncontours": 24,
        "contours": {"coloring": "heatmap"},
        "line": {"width": 0.5, "color": "role:text@0.3"},
        "hovertemplate": "%{x:.3~f}, %{y:.3~f}<extra></extra>",
        "colorbar": {
            "title": {"text": _("loss"), "font": {"size": SMALL_TEXT_SIZE}},
            "tickvals": ticks,
            "ticktext": [power_of_ten(tick, language) for tick in ticks],
            "tickfont": {"size": SMALL_TEXT_SIZE},
            "thickness": 12,
            "outlinewidth": 0,
        },
    }


def _point(uid: str, name: str, at: tuple[float, float] | None, symbol: str, color: str) -> Spec:
    return {
        "uid": uid,
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [at[0]] if at else [],
        "y": [at[1]] if at else [],
        "marker": {"symbol": symbol, "size": 13, "color": color, "line": {"width": 3, "color": color}},
        "hovertemplate": f"{name}<br>%{{x:.3~f}}, %{{y:.3~f}}<extra></extra>",
    }
