"""A sample of the data, coloured by the replica that holds it, with the lines drawn through it."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpdash.charts.spec import Figure, Spec, Update, compact_layout, line_points, packed
from dpdash.core.config import TRUE_INTERCEPT, TRUE_SLOPE, X_HIGH, X_LOW, RunConfig
from dpdash.core.translations import Language

X_RANGE: Final = (X_LOW, X_HIGH)
NUM_SERIES: Final = 8
SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
"""A second mark of the replica: with more replicas than colours, colour and symbol together are its own."""
MAX_NAMED_REPLICAS: Final = 4
"""With more, the legend names none, and the tooltip says which replica holds a point."""
MARGIN_SHARE: Final = 0.05
INSIDE: Final = {"orientation": "v", "x": 0.01, "y": 0.99, "yref": "paper", "yanchor": "top"}
"""The upper left, where a line that rises has no data."""


def fit_base(
    x: ArrayLike,
    y: ArrayLike,
    replica: ArrayLike,
    num_replicas: int,
    config: RunConfig,
    language: Language,
) -> Figure:
    """Data and lines that stand still, on axes that hold all of them."""
    _ = language.text
    xs, ys, replicas = np.asarray(x), np.asarray(y), np.asarray(replica)
    layout = compact_layout(_("Data and fitted line, y over x"), language)
    layout |= {"showlegend": True, "legend": {**layout["legend"], **INSIDE}}
    layout["xaxis"]["range"] = list(X_RANGE)
    layout["yaxis"]["range"] = y_range(ys)
    traces = [
        replica_points(xs[replicas == rank], ys[replicas == rank], rank, num_replicas, language)
        for rank in range(num_replicas)
    ]
    traces.append(straight_lines("ghosts", _("earlier epochs"), [], "role:muted@0.45", 1.5, "solid"))
    true_line = (TRUE_SLOPE, TRUE_INTERCEPT)
    traces.append(straight_lines("true", _("true line y = 3x"), [true_line], "role:text", 2.5, "dash"))
    traces.append(straight_lines("fit", _("fitted line"), [], "role:primary", 4, "solid"))
    description = _(
        "Scatter plot of {shown} of {samples} samples on {replicas} replicas, with the true and the fitted line."
    ).format(shown=len(xs), samples=config.samples, replicas=num_replicas)
    return Figure(layout["title"]["text"], description, tuple(traces), layout)


def fit_update(line: tuple[float, float] | None, ghosts: Sequence[tuple[float, float]] = ()) -> Update:
    """The fitted line now and those of earlier epochs, each as (slope, intercept)."""
    now_x, now_y = line_points([line] if line else [], X_RANGE)
    ghost_x, ghost_y = line_points(ghosts, X_RANGE)
    return Update(
        traces={
            "fit": {"x": packed(now_x), "y": packed(now_y)},
            "ghosts": {"x": packed(ghost_x), "y": packed(ghost_y)},
        }
    )


def y_range(y: NDArray[Any]) -> list[float]:
    """Lowest and highest y of an axis that holds the data and the true line."""
    ends = [TRUE_SLOPE * edge + TRUE_INTERCEPT for edge in X_RANGE]
    low, high = float(min([*ends, *y])), float(max([*ends, *y]))
    margin = MARGIN_SHARE * (high - low)
    return [low - margin, high + margin]


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
    uid: str, name: str, lines: Sequence[tuple[float, float]], color: str, width: float, dash: str
) -> Spec:
    """Lines, each as (slope, intercept), over the whole axis."""
    x, y = line_points(lines, X_RANGE)
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
