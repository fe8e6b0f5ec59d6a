"""Speed-up and efficiency over the replicas, and where parallelism begins to pay."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dpdash.charts.spec import SMALL_TEXT_SIZE, Figure, Spec, base_layout
from dpdash.core.scaling.curve import Curve, CurvePoint
from dpdash.core.scaling.study import Study
from dpdash.core.scaling.waterfall import Device
from dpdash.core.translations import Language

SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up", "cross", "x")
NUM_COLORS: Final = 8
NOISY_COLOR: Final = "role:muted@0.5"
LAW_POINTS: Final = 40
COLOR_BAR_WIDTH: Final = 84
EVERY_REPLICA_UP_TO: Final = 16

SpeedUp = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve with its name and the law that was fitted to it."""

    name: str
    curve: Curve
    law: SpeedUp | None
    law_name: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """What replicas are compared with."""

    device: Device
    whole_cpu: float | None = None
    """How many times as fast a device is whose operations take all cores; None where that was not measured."""


def speed_up_figure(lines: Sequence[Line], replicas: int, baseline: Baseline, language: Language) -> Figure:
    """Speed-up with standard errors, the ideal line, one device that takes all cores, and the fitted laws."""
    _ = language.text
    device = language.name(baseline.device)
    title = _("Speed-up over {device}").format(device=device)
    layout = base_layout(title, _("replicas"), _("times {device}").format(device=device), language)
    _replica_axis(layout, replicas)
    layout["yaxis"]["rangemode"] = "tozero"
    ideal = _reference("ideal", _("ideal"), [1, replicas], [1, replicas], "dash")
    edges = [0.5, replicas + 0.5]
    traces = [ideal, _reference("one", device, edges, [1, 1], "dot")]
    if baseline.whole_cpu is not None:
        cpu = language.name(Device.WHOLE_CPU)
        traces.append(_reference("cpu", cpu, edges, [baseline.whole_cpu] * 2, "longdashdot"))
    for index, line in enumerate(lines):
        points = line.curve.points
        values = [point.speed_up.median for point in points]
        errors = [point.speed_up.standard_error for point in points]
        traces.append(_curve(index, line, values, errors, "%{y:.3~g}×", language))
        if line.law is not None:
            traces.append(_law(index, line, line.law, replicas))
    description = _("Line chart of the speed-up over the number of replicas, with error bars and the ideal line.")
    return Figure(title, description, tuple(traces), layout)


def efficiency_figure(lines: Sequence[Line], replicas: int, language: Language) -> Figure:
    """Speed-up as a share of the ideal one."""
    _ = language.text
    title = _("Efficiency")
    layout = base_layout(title, _("replicas"), _("share of the ideal"), language)
    _replica_axis(layout, replicas)
    layout["yaxis"] |= {"tickformat": ".0%", "rangemode": "tozero"}
    traces = [_reference("ideal", _("ideal"), [1, replicas], [1, 1], "dash")]
    for index, line in enumerate(lines):
        points = line.curve.points
        values = [point.efficiency for point in points]
        errors = [point.speed_up.standard_error / point.replicas for point in points]
        traces.append(_curve(index, line, values, errors, "%{y:.0%}", language))
    description = _("Line chart of the speed-up as a share of the number of replicas, with error bars.")
    return Figure(title, description, tuple(traces), layout)


def map_figure(name: str, curves: Sequence[Curve], study: Study, language: Language) -> Figure:
    """Speed-up of one engine by width and replicas; a line divides where replicas are faster from where not."""
    _ = language.text
    title = _("Speed-up: {engine}").format(engine=name)
    layout = base_layout(title, _("replicas"), _("hidden width"), language)
    layout["margin"] = layout["margin"] | {"r": COLOR_BAR_WIDTH}
    widths, counts = study.plan.hidden_widths, list(range(1, study.plan.replicas + 1))
    z = [[_speed_up(curves, width, count) for count in counts] for width in widths]
    rows = list(range(len(widths)))
    layout["xaxis"] |= {"tickvals": counts, "showgrid": False}
    layout["yaxis"] |= {
        "tickvals": rows,
        "ticktext": [language.number(width) for width in widths],
        "showgrid": False,
    }
    layout["annotations"] = [
        {
            "x": count,
            "y": row,
            "text": language.number(value),
            "showarrow": False,
            "font": {"size": SMALL_TEXT_SIZE, "color": "role:text"},
            "bgcolor": "role:background@0.8",
        }
        for row, values in enumerate(z)
        for count, value in zip(counts, values, strict=True)
        if value is not None
    ]
    traces: list[Spec] = [
        {
            "uid": "map",
            "type": "heatmap",
            "x": counts,
            "y": rows,
            "z": z,
            "zmin": 0,
            "colorscale": "role:sequential",
            "xgap": 2,
            "ygap": 2,
            "hovertemplate": "%{z:.3~g}×<extra></extra>",
            "colorbar": {
                "title": {"text": _("times"), "font": {"size": SMALL_TEXT_SIZE}},
                "tickfont": {"size": SMALL_TEXT_SIZE},
                "thickness": 12,
                "outlinewidth": 0,
            },
        }
    ]
    # One device is 1 by definition: a line that began there would divide nothing.
    several = [values[1:] for values in z]
    if len(rows) > 1 and len(counts) > 2 and all(value is not None for values in several for value in values):
        traces.append(_begins_to_pay(counts[1:], rows, several, language))
    description = _("Heat map of the speed-up, by hidden width and number of replicas.")
    return Figure(title, description, tuple(traces), layout)


def _begins_to_pay(counts: list[int], rows: list[int], z: list[list[float | None]], language: Language) -> Spec:
    _ = language.text
    return {
        "uid": "pays",
        "type": "contour",
        "name": _("begins to pay"),
        "showlegend": True,
        "x": counts,
        "y": rows,
        "z": z,
        "showscale": False,
        "autocontour": False,
        "contours": {"start": 1.0, "end": 1.0, "size": 1.0, "coloring": "none"},
        "line": {"color": "role:primary", "width": 4, "dash": "dash", "smoothing": 0},
        "hoverinfo": "skip",
    }


def _speed_up(curves: Sequence[Curve], width: int, replicas: int) -> float | None:
    found = [
        point.speed_up.median
        for curve in curves
        if curve.hidden_width == width
        for point in curve.points
        if point.replicas == replicas and not point.is_noisy
    ]
    return found[0] if found else None


def _replica_axis(layout: Spec, replicas: int) -> None:
    layout["xaxis"]["range"] = [0.6, replicas + 0.4]
    if replicas <= EVERY_REPLICA_UP_TO:
        layout["xaxis"]["dtick"] = 1


def _curve(
    index: int, line: Line, values: Sequence[float], errors: Sequence[float], hover: str, language: Language
) -> Spec:
    """Points with error bars; hollow where replicas share what they run on, grey where they are too noisy."""
    points = line.curve.points
    color = f"role:series-{index % NUM_COLORS + 1}"
    symbol = SYMBOLS[index % len(SYMBOLS)]
    colors = [NOISY_COLOR if point.is_noisy else color for point in points]
    return {
        "uid": f"curve-{index}",
        "type": "scatter",
        "mode": "lines+markers",
        "name": line.name,
        "x": [point.replicas for point in points],
        "y": list(values),
        "error_y": {"type": "data", "array": list(errors), "color": color, "thickness": 1.5, "width": 5},
        "line": {"color": NOISY_COLOR if all(point.is_noisy for point in points[1:]) else color, "width": 3},
        "marker": {
            "size": 11,
            "color": colors,
            "symbol": [f"{symbol}-open" if point.is_oversubscribed else symbol for point in points],
            "line": {"width": 2, "color": colors},
        },
        "text": [_remark(point, language) for point in points],
        "hovertemplate": f"{line.name}, %{{x}}: {hover}%{{text}}<extra></extra>",
    }


def _remark(point: CurvePoint, language: Language) -> str:
    _ = language.text
    remarks = ((point.is_oversubscribed, _("oversubscribed")), (point.is_noisy, _("too noisy to tell")))
    return "".join(f", {text}" for holds, text in remarks if holds)


def _law(index: int, line: Line, law: SpeedUp, replicas: int) -> Spec:
    counts = np.linspace(1, replicas, LAW_POINTS)
    return {
        "uid": f"law-{index}",
        "type": "scatter",
        "mode": "lines",
        "name": line.law_name,
        "x": counts.tolist(),
        "y": [law(float(count)) for count in counts],
        "line": {"color": f"role:series-{index % NUM_COLORS + 1}", "width": 2, "dash": "dot"},
        "hoverinfo": "skip",
    }


def _reference(uid: str, name: str, x: list[float], y: list[float], dash: str) -> Spec:
    return {
        "uid": uid,
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "line": {"color": "role:reference", "width": 2, "dash": dash},
        "hoverinfo": "skip",
    }
