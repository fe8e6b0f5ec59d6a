"""Slope and intercept over the epochs, against the true ones."""

from typing import Final

from dpdash.charts.spec import SMALL_TEXT_SIZE, Figure, Spec, Update, base_layout, packed
from dpdash.core.config import RunConfig
from dpdash.core.history import HistorySnapshot
from dpdash.core.translations import Language

MAX_POINTS: Final = 400


def slope_base(config: RunConfig, language: Language, best_line: tuple[float, float]) -> Figure:
    """Axes and the true values; both columns share an axis, as both are in units of y.

    `best_line` is that of least squares, whose values stand there where nobody knows the true ones.
    """
    _ = language.text
    names, (slope, intercept) = (_("true slope"), _("true intercept")), config.true_line or best_line
    described = _("Line chart of slope and intercept of every epoch; the true values are 3 and 0.")
    if config.true_line is None:
        names = _("least-squares slope"), _("least-squares intercept")
        described = _("Line chart of slope and intercept of every epoch, and of the least-squares line.")
    layout = base_layout(_("Slope and intercept per epoch"), _("epoch"), _("value"), language)
    layout["xaxis"]["range"] = [0, config.epochs]
    layout["yaxis"]["autorangeoptions"] = {"include": [min(slope, intercept) - 1, max(slope, intercept) + 0.5]}
    traces = (
        _true_value("true-slope", names[0], slope, config.epochs, language, at_end=True),
        _true_value("true-intercept", names[1], intercept, config.epochs, language, at_end=False),
        _curve("slope", _("slope"), "role:primary", "solid"),
        _curve("intercept", _("intercept"), "role:series-1", "solid"),
    )
    return Figure(layout["title"]["text"], described, traces, layout)


def slope_update(history: HistorySnapshot) -> Update:
    """Both curves so far."""
    traces = {}
    for column in ("slope", "intercept"):
        epochs, values = history.curve(column, MAX_POINTS) if history.num_epochs else ((), ())
        traces[column] = {"x": packed(epochs), "y": packed(values)}
    return Update(traces=traces)


def _curve(column: str, name: str, color: str, dash: str) -> Spec:
    return {
        "uid": column,
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "line": {"color": color, "width": 3, "dash": dash},
        "hovertemplate": f"{name} %{{y:.4~g}}<extra></extra>",
    }


def _true_value(uid: str, name: str, value: float, epochs: int, language: Language, *, at_end: bool) -> Spec:
    """A dashed line with its name at one end: a run that diverges brings both lines together."""
    label = f"{name} {language.number(value)}"
    return {
        "uid": uid,
        "type": "scatter",
        "mode": "lines+text",
        "name": name,
        "showlegend": False,
        "x": [0, epochs],
        "y": [value, value],
        "text": ["", f"{label}  "] if at_end else [f"  {label}", ""],
        "textposition": "top left" if at_end else "top right",
        "textfont": {"size": SMALL_TEXT_SIZE, "color": "role:text"},
        "line": {"color": "role:reference", "width": 2, "dash": "dash"},
        "hoverinfo": "skip",
    }
