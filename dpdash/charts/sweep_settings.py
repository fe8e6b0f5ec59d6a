"""What the settings of a sweep do: all of them at once, how much each matters, and how far slopes scatter."""

import math
from collections.abc import Sequence
from typing import Final

from dpdash.charts.scaling import NUM_COLORS, SYMBOLS
from dpdash.charts.spec import SMALL_TEXT_SIZE, Figure, Spec, base_layout
from dpdash.charts.sweep import in_two_lines
from dpdash.core.sweep import Sweep, Trial
from dpdash.core.sweep_axis import Axis
from dpdash.core.translations import Language
from dpdash.findings.sweep import Importance, SlopeSpread, Ticks, ticks

GOOD_SHARE: Final = 0.1
"""Of the trials with a value: so many of the best ones are drawn strongly."""
MOST_LABELS: Final = 8
DIGITS: Final = 4
"""Of a height: a chart has fewer pixels than that."""


def parallel_figure(sweep: Sweep, language: Language) -> Figure:
    """A line for each trial through all settings to its value; the best tenth stands out."""
    _ = language.text
    title = _("All settings at once")
    settings = sweep.plan.settings
    layout = base_layout(title, "", "", language)
    layout["margin"] = layout["margin"] | {"l": 40, "r": 64}
    layout["hovermode"] = "closest"
    names = [*(language.title(setting) for setting in settings), language.name(sweep.plan.objective)]
    layout["xaxis"] |= {
        "tickvals": list(range(len(names))),
        "ticktext": [in_two_lines(name) for name in names],
        "range": [-0.15, len(names) - 0.7],
        "showgrid": False,
        "showline": False,
    }
    layout["yaxis"] |= {"range": [-0.06, 1.06], "showticklabels": False, "showgrid": False, "showline": False}
    layout["shapes"] = [_upright(place) for place in range(len(names))]
    scales = [ticks(axis) for axis in sweep.plan.axes]
    measured = sorted((trial.value, trial.number) for trial in sweep.trials if trial.value is not None)
    layout["annotations"] = [
        *(label for place, scale in enumerate(scales) for label in _labels(place, scale, language)),
        *_value_labels(len(settings), [value for value, _number in measured], language),
    ]
    good = {number_of for _value, number_of in measured[: max(1, math.ceil(GOOD_SHARE * len(measured)))]}
    with_value = {number_of for _value, number_of in measured}
    extent = (measured[0][0], measured[-1][0]) if measured else (1.0, 1.0)
    groups = (
        ("without", _("without a value"), "role:muted@0.45", "dot", 1.0, _numbers(sweep) - with_value),
        ("others", _("the others"), "role:series-1@0.4", "solid", 1.5, with_value - good),
        ("good", _("the best tenth"), "role:primary", "solid", 3.0, good),
    )
    traces = []
    for uid, name, color, dash, width, wanted in groups:
        chosen = [trial for trial in sweep.trials if trial.number in wanted]
        lines = _lines(chosen, scales, extent, language)
        style = {"color": color, "width": width, "dash": dash}
        traces.append({**lines, "uid": f"lines-{uid}", "name": name, "line": style, "marker": {"color": color}})
    description = _("A line for each trial through the values of its settings to its result.")
    return Figure(title, description, tuple(traces), layout)


def importance_figure(shares: Sequence[Importance], language: Language) -> Figure:
    """How much of the trials' ranking each setting explains, by itself and together with the others."""
    _ = language.text
    title = _("What matters")
    layout = base_layout(title, _("share of the ranking explained"), "", language)
    layout["margin"] = layout["margin"] | {"l": 124}
    layout["xaxis"] |= {"range": [0, 1], "tickformat": ".0%"}
    layout["yaxis"] |= {"type": "category", "autorange": "reversed"}
    layout["barmode"] = "group"
    names = [in_two_lines(language.title(share.setting)) for share in shares]
    bars: list[Spec] = [
        {
            "uid": f"importance-{uid}",
            "type": "bar",
            "orientation": "h",
            "name": name,
            "x": values,
            "y": names,
            "marker": {"color": color},
            "hovertemplate": "%{y}: %{x:.0%}<extra></extra>",
        }
        for uid, name, color, values in (
            ("main", _("by itself"), "role:series-1", [share.main for share in shares]),
            ("total", _("together with the others"), "role:muted", [share.total for share in shares]),
        )
    ]
    description = _(
        "Bars of how much of the trials' ranking each setting explains, by itself and together with the others."
    )
    return Figure(title, description, tuple(bars), layout)


def spread_figure(spreads: Sequence[SlopeSpread], language: Language) -> Figure:
    """Measured spread of the slopes over the seeds, beside the standard error that theory gives."""
    _ = language.text
    title = _("Spread of the slopes")
    x_title, y_title = _("standard error by the formula σ/√Σ(x−x̄)²"), _("measured standard deviation")
    layout = base_layout(title, x_title, y_title, language)
    for name in ("xaxis", "yaxis"):
        layout[name] |= {"type": "log", "tickformat": "~g", "dtick": "D2"}
    ends = [min(spread.predicted for spread in spreads) / 1.5, max(spread.predicted for spread in spreads) * 1.5]
    traces: list[Spec] = [
        {
            "uid": "formula",
            "type": "scatter",
            "mode": "lines",
            "name": _("as the formula says"),
            "x": ends,
            "y": ends,
            "line": {"color": "role:reference", "width": 2, "dash": "dash"},
            "hoverinfo": "skip",
        }
    ]
    firsts = list(dict.fromkeys(spread.values[:1] for spread in spreads))
    for place, first in enumerate(firsts):
        traces.append(_spread(place, [spread for spread in spreads if spread.values[:1] == first], language))
    description = _(
        "Measured standard deviation of the slopes over the seeds, beside the standard error by theory."
    )
    return Figure(title, description, tuple(traces), layout)


def _spread(place: int, spreads: Sequence[SlopeSpread], language: Language) -> Spec:
    _ = language.text
    color = f"role:series-{place % NUM_COLORS + 1}"
    shared = spreads[0].values[:1]
    errors = [spread.measured * spread.relative_error for spread in spreads]
    return {
        "uid": f"spread-{place}",
        "type": "scatter",
        "mode": "markers",
        "name": _named(shared, language) or _("measured"),
        "x": [spread.predicted for spread in spreads],
        "y": [spread.measured for spread in spreads],
        "error_y": {"type": "data", "array": errors, "color": color, "thickness": 1.5, "width": 5},
        "marker": {"color": color, "size": 11, "symbol": SYMBOLS[place % len(SYMBOLS)]},
        "text": [_named(spread.values, language) for spread in spreads],
        "hovertemplate": "%{text}<br>%{x:.3~g} → %{y:.3~g}<extra></extra>",
    }


def _named(values: Sequence[tuple[str, object]], language: Language) -> str:
    return ", ".join(f"{language.title(name)} {language.value(value)}" for name, value in values)


def _numbers(sweep: Sweep) -> set[int]:
    return {trial.number for trial in sweep.trials if trial.status.is_over}


def _lines(
    trials: Sequence[Trial], scales: Sequence[Ticks], extent: tuple[float, float], language: Language
) -> Spec:
    """The lines of some trials as one trace, with a gap after each; small, as it is sent with every trial."""
    _ = language.text
    x: list[float | None] = []
    y: list[float | None] = []
    runs: list[str] = []
    numbers: list[int] = []
    for trial in trials:
        heights: list[float | None] = [
            round(_height(scale, value), DIGITS) for scale, value in zip(scales, trial.values, strict=True)
        ]
        if trial.value is not None:
            heights.append(round(_share(trial.value, extent), DIGITS))
        x += [*range(len(heights)), None]
        y += [*heights, None]
        runs += [trial.run_id] * (len(heights) + 1)
        numbers += [trial.number + 1] * (len(heights) + 1)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": x,
        "y": y,
        "customdata": runs,
        "text": numbers,
        "hovertemplate": _("trial %{text}") + "<extra></extra>",
    }


def _height(scale: Ticks, value: object) -> float:
    """Where a value lies on its upright line, 0 to 1."""
    axis = scale.axis
    if isinstance(value, str):
        return scale.index(value) / max(1, len(scale.centers) - 1)
    assert isinstance(value, int | float)
    low, high = _ends(axis)
    return _share(float(value), (low, high), is_log=axis.is_log)


def _ends(axis: Axis) -> tuple[float, float]:
    numbers = [float(value) for value in axis.extremes]
    return min(numbers), max(numbers)


def _share(value: float, extent: tuple[float, float], *, is_log: bool = True) -> float:
    low, high = extent
    if low == high:
        return 0.5
    if is_log and low > 0:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _upright(place: int) -> Spec:
    line = {"color": "role:muted", "width": 1}
    return {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "line": line, "layer": "below"}


def _labels(place: int, scale: Ticks, language: Language) -> list[Spec]:
    axis = scale.axis
    if axis.is_range or len(axis.values) > MOST_LABELS:
        low, high = sorted(axis.extremes, key=float)[:: len(axis.extremes) - 1 or 1]
        return [_label(place, 0.0, language.value(low)), _label(place, 1.0, language.value(high))]
    return [_label(place, _height(scale, value), language.value(value)) for value in scale.centers]


def _value_labels(place: int, values: Sequence[float], language: Language) -> list[Spec]:
    if not values:
        return []
    ends = (values[0], values[-1])
    return [_label(place, _share(value, ends), language.number(value)) for value in dict.fromkeys(ends)]


def _label(place: int, height: float, text: str) -> Spec:
    return {
        "x": place,
        "y": height,
        "text": text,
        "showarrow": False,
        "xanchor": "left",
        "xshift": 6,
        "font": {"size": SMALL_TEXT_SIZE},
        "bgcolor": "role:background@0.8",
    }
