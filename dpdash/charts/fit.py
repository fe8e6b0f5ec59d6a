"""A sample of the data, coloured by the replica that holds it, with the lines drawn through it."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpdash.charts.spec import Figure, Spec, Update, compact_layout, line_points, packed
from dpdash.core.config import TRUE_LINE, X_HIGH, X_LOW, RunConfig
from dpdash.core.translations import Language

Line = tuple[float, float]
"""Slope and intercept."""
Range = tuple[float, float]
X_RANGE: Final[Range] = (X_LOW, X_HIGH)
NUM_SERIES: Final = 8
SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
"""A second mark of the replica: with more replicas than colours, colour and symbol together are its own."""
MAX_NAMED_REPLICAS: Final = 4
"""With more, the legend names none, and the tooltip says which replica holds a point."""
MARGIN_SHARE: Final = 0.05
INSIDE: Final = {"orientation": "v", "x": 0.01, "y": 0.99, "yref": "paper", "yanchor": "top"}
"""The upper left, where a line that rises has no data."""
ON_THE_RIGHT: Final = {"x": 0.99, "xanchor": "right"}
"""Where a line that falls has none."""


def fit_base(
    x: ArrayLike,
    y: ArrayLike,
    replica: ArrayLike,
    num_replicas: int,
    config: RunConfig,
    language: Language,
    best_line: Line | None = None,
) -> Figure:
    """Data and lines that stand still, on axes that hold all of them.

    `best_line` is that of least squares, which is drawn where nobody knows a true one.
    """
    _ = language.text
    xs, ys, replicas = np.asarray(x), np.asarray(y), np.asarray(replica)
    title = _("Data and fitted line, y over x")
    if config.data is not None and config.data.is_standardised:
        title = _("Standardised data and fitted line")
    layout = compact_layout(title, language)
    falls = best_line is not None and best_line[0] < 0
    layout |= {"showlegend": True, "legend": {**layout["legend"], **INSIDE, **(ON_THE_RIGHT if falls else {})}}
    across = x_range(xs, config)
    layout["xaxis"]["range"] = list(across)
    layout["yaxis"]["range"] = y_range(ys, config.true_line)
    traces = [
        replica_points(xs[replicas == rank], ys[replicas == rank], rank, num_replicas, language)
        for rank in range(num_replicas)
    ]
    traces.append(straight_lines("ghosts", _("earlier epochs"), [], "role:muted@0.45", 1.5, "solid"))
    if config.true_line is not None:
        traces.append(straight_lines("true", _("true line y = 3x"), [config.true_line], "role:text", 2.5, "dash"))
    if best_line is not None:
        traces.append(straight_lines("best", _("least squares"), [best_line], "role:text", 2.5, "dash", across))
    traces.append(straight_lines("fit", _("fitted line"), [], "role:primary", 4, "solid"))
    described = _(
        "Scatter plot of {shown} of {samples} samples on {replicas} replicas, with the true and the fitted line."
    )
    if config.true_line is None:
        described = _(
            "Scatter plot of {shown} of {samples} samples of own data on {replicas} replicas, with the "
            "least-squares and the fitted line."
        )
    description = described.format(
        shown=language.number(len(xs)), samples=language.number(config.samples), replicas=num_replicas
    )
    return Figure(layout["title"]["text"], description, tuple(traces), layout)


def fit_update(line: Line | None, ghosts: Sequence[Line] = (), across: Range = X_RANGE) -> Update:
    """The fitted line now and those of earlier epochs, from one x to another."""
    now_x, now_y = line_points([line] if line else [], across)
    ghost_x, ghost_y = line_points(ghosts, across)
    return Update(
        traces={
            "fit": {"x": packed(now_x), "y": packed(now_y)},
            "ghosts": {"x": packed(ghost_x), "y": packed(ghost_y)},
        }
    )


def x_range(x: NDArray[Any], config: RunConfig) -> Range:
    """Lowest and highest x of the axis: all that can be drawn, or what own data have."""
    return X_RANGE if config.data is None else _with_margin(float(x.min()), float(x.max()))


def y_range(y: NDArray[Any], true_line: Line | None = TRUE_LINE) -> list[float]:
    """Lowest and highest y of an axis that holds the data and the true line, where there is one."""
    ends = [true_line[0] * edge + true_line[1] for edge in X_RANGE] if true_line else []
    return list(_with_margin(float(min([*ends, *y])), float(max([*ends, *y]))))


def _with_margin(low: float, high: float) -> Range:
    margin = MARGIN_SHARE * (high - low) or 1.0
    return low - margin, high + margin


def replica_points(x: NDArray[Any], y: NDArray[Any], rank: int, num_replicas: int, language: Language) -> Spec:
    """The points of one replica, in its colour and with its symbol."""
    _ = language.text
    name = _("data") if num_replicas == 1 else _("replica {rank}").format(rank=rank)
    return {
        "uid": f"replica-{rank}",
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "showlegend": num_replicas <= MAX_NAMED_REPLICAS,
        "x": packed(x),
        "y": packed(y),
        "marker": {"color": replica_color(rank), "symbol": replica_symbol(rank), "size": 6, "opacity": 0.6},
        "hovertemplate": f"{name}<br>x %{{x:.3~f}}<br>y %{{y:.3~f}}<extra></extra>",
    }


def replica_color(rank: int) -> str:
    """The role of a replica's colour."""
    return f"role:series-{rank % NUM_SERIES + 1}"


def replica_symbol(rank: int) -> str:
    """The symbol of a replica, its second mark."""
    return SYMBOLS[(rank // NUM_SERIES + rank) % len(SYMBOLS)]


def straight_lines(
    uid: str,
    name: str,
    lines: Sequence[Line],
    color: str,
    width: float,
    dash: str,
    across: Range = X_RANGE,
) -> Spec:
    """Lines, from one x to another."""
    x, y = line_points(lines, across)
    return {
        "uid": uid,
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": packed(x),
        "y": packed(y),
        "line": {"color": color, "width": width, "dash": dash},
        "hoverinfo": "skip",
    }
