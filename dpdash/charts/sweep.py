"""The trials of a sweep over two settings, and the best so far. A click on a trial names its run."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from dpdash.charts.spec import SMALL_TEXT_SIZE, Figure, Spec, base_layout, decades, power_of_ten
from dpdash.core.sweep import Sweep, SweepPlan, Trial, TrialStatus
from dpdash.core.translations import Language
from dpdash.findings.sweep import Cell, LinearRule, SweepMap, Ticks

COLOR_BAR_WIDTH: Final = 84
NAMES_WIDTH: Final = 104
LONGEST_LINE: Final = 9
"""Letters; a longer name is written in two lines."""
MARKS: Final = {
    TrialStatus.DIVERGED: "x",
    TrialStatus.PRUNED: "line-ew",
    TrialStatus.NOT_REACHED: "hourglass",
    TrialStatus.STOPPED: "square",
    TrialStatus.FAILED: "cross",
    TrialStatus.RUNNING: "circle-open",
}
"""What stands in a cell without a value: shapes, as a cell has no colour then."""


def trial_text(trial: Trial, plan: SweepPlan, language: Language) -> str:
    """One trial in a few lines."""
    lines = [
        f"{language.title(setting)}: {language.value(value)}"
        for setting, value in zip(plan.settings, trial.values, strict=True)
    ]
    if trial.value is None:
        return "<br>".join((*lines, language.name(trial.status)))
    return "<br>".join((*lines, f"{language.name(plan.objective)}: {language.number(trial.value)}"))


def in_two_lines(name: str) -> str:
    """A long name with a break at the space that is nearest to its middle."""
    spaces = [place for place, letter in enumerate(name) if letter == " "]
    if len(name) <= LONGEST_LINE or not spaces:
        return name
    middle = min(spaces, key=lambda place: abs(2 * place - len(name)))
    return f"{name[:middle]}<br>{name[middle + 1 :]}"


def map_figure(sweep: Sweep, found: SweepMap, rule: LinearRule | None, language: Language) -> Figure:
    """The best value of each pair of settings, with what became of the trials that have none."""
    _ = language.text
    scatters = any(cell.spread is not None for cell in found.cells)
    title = _("Spread of the slopes by settings") if scatters else _("Best trial by settings")
    x, y = found.x.axis.setting, None if found.y is None else found.y.axis.setting
    layout = base_layout(title, language.title(x), "" if y is None else language.title(y), language)
    layout["margin"] = layout["margin"] | {"r": COLOR_BAR_WIDTH, "l": NAMES_WIDTH}
    layout["xaxis"] |= _cells_axis(found.x, language)
    layout["yaxis"] |= (
        _cells_axis(found.y, language) if found.y else {"range": [-0.5, 0.5], "showticklabels": False}
    )
    values, description = _values(found), _("Heat map of the smallest value of the objective, by two settings.")
    if scatters:
        values = {(cell.column, cell.row): cell.spread.measured for cell in found.cells if cell.spread is not None}
        description = _("Heat map of the standard deviation of the slopes over the seeds, by two settings.")
    traces = [_heat(sweep, found, values, language), *_marks(sweep, found, language)]
    best = None if scatters else sweep.best
    if best is not None:
        traces.append(_best_cell(found, best, language))
    if rule is not None and found.y is not None:
        traces.append(_rule_line(found.x, found.y, rule, language))
    return Figure(title, description, tuple(traces), layout)


def best_figure(sweep: Sweep, best: Sequence[tuple[int, float]], language: Language) -> Figure:
    """Every trial's value, and the smallest so far."""
    _ = language.text
    title = _("Best so far")
    layout = base_layout(title, _("trial"), language.name(sweep.plan.objective), language)
    layout["xaxis"]["range"] = [0.5, sweep.plan.num_trials + 0.5]
    measured = [trial for trial in sweep.trials if trial.value is not None]
    layout["yaxis"] |= {"type": "log", "exponentformat": "power"}
    lowest = _log_floor([trial.value for trial in measured if trial.value is not None])
    traces: list[Spec] = [
        {
            "uid": "trials",
            "type": "scatter",
            "mode": "markers",
            "name": _("a trial"),
            "x": [trial.number + 1 for trial in measured],
            "y": [max(trial.value or 0.0, lowest) for trial in measured],
            "customdata": [trial.run_id for trial in measured],
            "text": [trial_text(trial, sweep.plan, language) for trial in measured],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"color": "role:series-1@0.7", "size": 8},
        },
        {
            "uid": "best",
            "type": "scatter",
            "mode": "lines",
            "name": _("best so far"),
            "x": [trial for trial, _value in best],
            "y": [max(value, lowest) for _trial, value in best],
            "line": {"color": "role:primary", "width": 3, "shape": "hv"},
            "hoverinfo": "skip",
        },
    ]
    description = _("Every trial's value, and a line of the smallest one so far.")
    return Figure(title, description, tuple(traces), layout)


def _cells_axis(ticks: Ticks, language: Language) -> Spec:
    places = list(range(len(ticks.centers)))
    return {
        "tickvals": places,
        "ticktext": [in_two_lines(language.value(center)) for center in ticks.centers],
        "range": [-0.5, len(places) - 0.5],
        "showgrid": False,
    }


def _values(found: SweepMap) -> dict[tuple[int, int], float]:
    return {(cell.column, cell.row): cell.trial.value for cell in found.cells if cell.trial.value is not None}


def _heat(sweep: Sweep, found: SweepMap, values: Mapping[tuple[int, int], float], language: Language) -> Spec:
    columns, rows = len(found.x.centers), 1 if found.y is None else len(found.y.centers)
    z: list[list[float | None]] = [[None] * columns for _row in range(rows)]
    texts, runs = [[""] * columns for _row in range(rows)], [[""] * columns for _row in range(rows)]
    lowest = _log_floor(tuple(values.values()))
    for cell in found.cells:
        value = values.get((cell.column, cell.row))
        runs[cell.row][cell.column] = cell.trial.run_id
        texts[cell.row][cell.column] = _cell_text(sweep, cell, language)
        z[cell.row][cell.column] = None if value is None else math.log10(max(value, lowest))
    shown = [math.log10(max(value, lowest)) for value in values.values()] or [0.0]
    marks = decades(min(shown), max(shown))
    return {
        "uid": "map",
        "type": "heatmap",
        "x": list(range(columns)),
        "y": list(range(rows)),
        "z": z,
        "text": texts,
        "customdata": runs,
        "colorscale": "role:sequential",
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
        "hovertemplate": "%{text}<extra></extra>",
        "showscale": bool(values),
        "colorbar": {
            "tickvals": marks,
            "ticktext": [power_of_ten(mark, language) for mark in marks],
            "tickfont": {"size": SMALL_TEXT_SIZE},
            "thickness": 12,
            "outlinewidth": 0,
        },
    }


def _cell_text(sweep: Sweep, cell: Cell, language: Language) -> str:
    _ = language.text
    if cell.spread is None:
        return trial_text(cell.trial, sweep.plan, language)
    shared = "<br>".join(f"{language.title(name)}: {language.value(value)}" for name, value in cell.spread.values)
    return (
        shared
        + "<br>"
        + _("slopes scatter by {measured}, by the formula {predicted}").format(
            measured=language.number(cell.spread.measured),
            predicted=language.number(cell.spread.predicted),
        )
    )


def _log_floor(values: Sequence[float]) -> float:
    """What stands for 0 on a logarithmic scale: the smallest value above it."""
    return min((value for value in values if value > 0), default=1.0)


def _marks(sweep: Sweep, found: SweepMap, language: Language) -> list[Spec]:
    """A trace for each reason why a cell has no value."""
    traces: list[Spec] = []
    for status, symbol in MARKS.items():
        cells = [cell for cell in found.cells if cell.trial.status is status and cell.trial.value is None]
        traces.append(
            {
                "uid": f"mark-{status.value}",
                "type": "scatter",
                "mode": "markers",
                "name": language.name(status),
                "showlegend": bool(cells),
                "x": [cell.column for cell in cells],
                "y": [cell.row for cell in cells],
                "customdata": [cell.trial.run_id for cell in cells],
                "text": [trial_text(cell.trial, sweep.plan, language) for cell in cells],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {
                    "symbol": symbol,
                    "size": 11,
                    "color": "role:reference",
                    "line": {"color": "role:reference", "width": 2},
                },
            }
        )
    return traces


def _best_cell(found: SweepMap, best: Trial, language: Language) -> Spec:
    _ = language.text
    cells = [cell for cell in found.cells if cell.trial.number == best.number]
    return {
        "uid": "best",
        "type": "scatter",
        "mode": "markers",
        "name": _("the best"),
        "x": [cell.column for cell in cells],
        "y": [cell.row for cell in cells],
        "customdata": [cell.trial.run_id for cell in cells],
        "hoverinfo": "none",
        "marker": {
            "symbol": "star",
            "size": 18,
            "color": "role:background",
            "line": {"color": "role:text", "width": 2},
        },
    }


def _rule_line(x: Ticks, y: Ticks, rule: LinearRule, language: Language) -> Spec:
    _ = language.text
    batches, rates = (x, y) if x.axis.setting == "global_batch_size" else (y, x)
    sizes = [float(size) for size in batches.centers]
    along, across = list(range(len(sizes))), [rates.position(rule.rate(size)) for size in sizes]
    return {
        "uid": "rule",
        "type": "scatter",
        "mode": "lines",
        "name": _("linear scaling rule"),
        "x": along if batches is x else across,
        "y": across if batches is x else along,
        "line": {"color": "role:primary", "width": 4, "dash": "dash"},
        "hoverinfo": "skip",
    }
