"""What a figure is made of: plain dictionaries in plotly's own words, with roles where colours stand.

A figure has two parts. The base is sent once: layout, texts, data and lines that stand still. An update carries
what has changed since, by the `uid` of the trace, and is laid over the base in the browser.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpdash.core.translations import Language

Spec = dict[str, Any]

TEXT_SIZE: Final = 14
"""Pixels; a projector needs at least 13."""
SMALL_TEXT_SIZE: Final = 13
HEIGHT: Final = 400
"""Pixels; what a narrow page adds to it is room for the legend."""
MIXES: Final = {"reference": 0.85, "muted": 0.7, "grid": 0.12}
"""Roles that lie between the text's colour and the background's, by the share of the text's."""
LARGEST_U2: Final = 2**16 - 1
MAX_TICKS: Final = 6
MARGIN: Final = {"l": 68, "r": 16, "t": 44, "b": 118, "autoexpand": False}
"""Fixed, so that the plot area never moves: tick labels stand left, axis title and two rows of legend below."""
COMPACT_MARGIN: Final = {"l": 40, "r": 6, "t": 22, "b": 22, "autoexpand": False}
"""Of a figure of the first screen, which has its legend inside or none: at most 35 % of it is not data."""


@dataclass(frozen=True, slots=True)
class Figure:
    """The part of a figure that stands still."""

    name: str
    """The title, and what a screen reader calls the figure."""
    description: str
    """What the figure shows, for those who cannot see it."""
    traces: tuple[Spec, ...]
    layout: Spec


@dataclass(frozen=True, slots=True)
class Update:
    """The part of a figure that changes."""

    traces: Mapping[str, Spec] = field(default_factory=dict)
    """What is new in a trace, by the trace's uid."""
    layout: Spec = field(default_factory=dict)
    """Lists (shapes, annotations) are appended to the base's, all else replaces it."""


def packed(values: ArrayLike) -> Spec:
    """Numbers as plotly's typed-array spec: a third of the bytes of JSON, and quicker to read.

    They are float32, or 16-bit counts where they are whole numbers and small enough.
    """
    given = np.asarray(values)
    kind = "u2" if _are_small_counts(given) else "f4"
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(given, dtype=f"<{kind}")
    spec = {"dtype": kind, "bdata": base64.b64encode(array.tobytes()).decode()}
    if array.ndim == 2:
        spec["shape"] = ", ".join(str(size) for size in array.shape)
    return spec


def _are_small_counts(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "iu" and values.size > 0 and values.min() >= 0 and values.max() <= LARGEST_U2


def line_points(
    lines: Sequence[tuple[float, float]], x_range: tuple[float, float]
) -> tuple[list[float], list[float]]:
    """Straight lines (slope, intercept) over a range as one trace's points, with a gap after each line."""
    x, y = [], []
    for slope, intercept in lines:
        x += [*x_range, np.nan]
        y += [*(slope * edge + intercept for edge in x_range), np.nan]
    return x, y


def power_of_ten(exponent: float, language: Language) -> str:
    """A tick of a logarithmic scale: a whole power as it is, another place in three significant digits."""
    return language.number(10.0**exponent, 1 if exponent == int(exponent) else 3)


def decades(low: float, high: float) -> list[float]:
    """Whole powers of ten in a range, thinned to a few; its two ends where there are fewer than two."""
    powers = list(range(ceil(low), floor(high) + 1))
    stride = -(-len(powers) // MAX_TICKS)
    return [float(power) for power in powers[::stride]] if len(powers) > 1 else [low, high]


def base_layout(title: str, x_title: str, y_title: str, language: Language) -> Spec:
    """The look that all figures share."""
    return {
        "title": {
            "text": title,
            "x": 0,
            "xanchor": "left",
            "xref": "paper",
            "y": 0.975,
            "yanchor": "top",
            "font": {"size": 16},
        },
        "font": {"size": TEXT_SIZE, "color": "role:text"},
        "separators": language.separators,
        "height": HEIGHT,
        "margin": MARGIN,
        "paper_bgcolor": "role:background",
        "plot_bgcolor": "role:background",
        "hoverlabel": {"font": {"size": SMALL_TEXT_SIZE}},
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "font": {"size": SMALL_TEXT_SIZE},
            "bgcolor": "role:background@0",
        },
        "xaxis": axis(x_title),
        "yaxis": axis(y_title),
    }


def compact_layout(title: str, language: Language) -> Spec:
    """The look of a figure that fills what the first screen leaves it; its title says what its axes are."""
    layout = base_layout(title, "", "", language)
    # The browser gives a figure with a height of its own the room of its legend's rows below.
    layout |= {"margin": COMPACT_MARGIN, "showlegend": False, "meta": {"compact": True}}
    layout["title"] |= {"font": {"size": TEXT_SIZE}, "y": 1, "yref": "container", "pad": {"t": 3}}
    return layout


def axis(title: str) -> Spec:
    """An axis with a quiet grid and a readable title."""
    return {
        "title": {"text": title, "standoff": 8, "font": {"size": TEXT_SIZE}},
        "automargin": False,
        "zeroline": False,
        "gridcolor": "role:grid",
        "linecolor": "role:muted",
        "showline": True,
        "tickfont": {"size": SMALL_TEXT_SIZE},
    }
