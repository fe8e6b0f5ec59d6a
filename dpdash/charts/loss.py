"""The loss of every epoch on a logarithmic axis, against what no line can beat."""

from math import log10
from typing import Final

from dpdash.charts.spec import SMALL_TEXT_SIZE, Figure, Spec, Update, compact_layout, packed
from dpdash.core.config import TRUE_SLOPE, X_HIGH, X_LOW, RunConfig
from dpdash.core.events import LearningRateChanged
from dpdash.core.history import HistorySnapshot, Row
from dpdash.core.translations import Language

MAX_POINTS: Final = 600
"""About the pixels of a chart's width; the curve keeps its exact extremes."""
MAX_CHANGES: Final = 40
"""Learning-rate changes drawn; the newest are kept."""
LABEL_DISTANCE: Final = 0.2
"""Share of the width that a label takes; one that would stand closer to the next is left out."""
NEGLIGIBLE: Final = 1e-6
"""An optimum below this share of the noise floor is rounding, and would stretch the axis to nothing."""


def loss_base(
    config: RunConfig,
    noise_floor: float,
    optimum_loss: float,
    language: Language,
    flat_line_loss: float | None = None,
) -> Figure:
    """Axes and reference lines. The axis holds the loss of a flat line from the start, so it does not jump.

    `flat_line_loss` is that of own data; of what is drawn it is known.
    """
    _ = language.text
    references = [("optimum", _("least squares"), optimum_loss, "dot")]
    if flat_line_loss is None:
        flat_line_loss = TRUE_SLOPE**2 * (X_HIGH - X_LOW) ** 2 / 12 + noise_floor
        references.insert(0, ("noise-floor", _("noise floor"), noise_floor, "dash"))
    shown = [line for line in references if line[2] > NEGLIGIBLE * noise_floor and noise_floor > 0]
    lowest = min((value for _uid, _name, value, _dash in shown), default=flat_line_loss / 5)
    layout = compact_layout(_("Loss per epoch (mean squared error)"), language)
    layout["xaxis"]["range"] = [0, config.epochs]
    layout["yaxis"] |= {"type": "log", "tickformat": "~g", "automargin": "left"}
    traces: list[Spec] = [
        _room(lowest / 2, flat_line_loss),
        {
            "uid": "loss",
            "type": "scatter",
            "mode": "lines",
            "name": _("loss"),
            "line": {"color": "role:primary", "width": 3},
            "hovertemplate": _("epoch %{x}: loss %{y:.4~g}") + "<extra></extra>",
        },
        {
            "uid": "now",
            "type": "scatter",
            "mode": "markers",
            "showlegend": False,
            "marker": {"color": "role:primary", "size": 9},
            "hoverinfo": "skip",
        },
    ]
    traces += [_reference_line(*line, config.epochs) for line in shown]
    label = " · ".join(f"{name} {language.number(value)}" for _uid, name, value, _dash in shown)
    layout["annotations"] = [_reference_label(label, lowest)] if shown else []
    described = _("Line chart of the loss of every epoch, logarithmic. The noise floor is {floor}.")
    if config.data is not None:
        described = _("Line chart of the loss of every epoch, logarithmic. The least-squares line has {floor}.")
    description = described.format(floor=language.number(noise_floor))
    return Figure(layout["title"]["text"], description, tuple(traces), layout)


def loss_update(
    history: HistorySnapshot, row: Row | None, cursor_epoch: int | None, epochs_wanted: int, language: Language
) -> Update:
    """The curve so far, the row it has reached (or looks back to), and where the learning rate changed."""
    _ = language.text
    epochs, losses = history.curve("loss", MAX_POINTS) if history.num_epochs else ((), ())
    shapes, annotations = _rate_changes(history.learning_rate_changes, epochs_wanted, language)
    if cursor_epoch is not None:
        shapes.append(_upright(f"M{cursor_epoch},0V1", "role:primary", "solid"))
        text = _("epoch {epoch}").format(epoch=language.number(cursor_epoch))
        annotations.append(_label(cursor_epoch, text, epochs_wanted))
    return Update(
        traces={
            "loss": {"x": packed(epochs), "y": packed(losses)},
            "now": {"x": [row.epoch], "y": [row.loss]} if row else {"x": [], "y": []},
        },
        layout={"shapes": shapes, "annotations": annotations},
    )


def _room(low: float, high: float) -> Spec:
    """Two points that nobody sees: plotly 4.1 reads `autorangeoptions.include` wrongly on a logarithmic axis."""
    return {
        "uid": "room",
        "type": "scatter",
        "mode": "markers",
        "x": [0, 0],
        "y": [low, high],
        "opacity": 0,
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _reference_line(uid: str, name: str, value: float, dash: str, epochs: int) -> Spec:
    return {
        "uid": uid,
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [0, epochs],
        "y": [value, value],
        "line": {"color": "role:reference", "width": 2, "dash": dash},
        "hoverinfo": "skip",
    }


def _reference_label(text: str, value: float) -> Spec:
    """Names the lines below the lowest of them, where no loss can be."""
    return {
        "text": text,
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "xshift": 6,
        "y": log10(value),
        "yanchor": "top",
        "yshift": -2,
        "showarrow": False,
        "font": {"size": SMALL_TEXT_SIZE},
    }


def _rate_changes(
    changes: tuple[LearningRateChanged, ...], epochs: int, language: Language
) -> tuple[list[Spec], list[Spec]]:
    """One path for all upright lines, and labels for those that have the room; the newest has precedence."""
    _ = language.text
    recent = changes[-MAX_CHANGES:]
    if not recent:
        return [], []
    path = "".join(f"M{change.epoch},0V1" for change in recent)
    labels: list[Spec] = []
    next_epoch = float("inf")
    for change in reversed(recent):
        if next_epoch - change.epoch >= LABEL_DISTANCE * epochs:
            text = language.brief("learning_rate", language.value(change.learning_rate))
            labels.append(_label(change.epoch, text, epochs))
            next_epoch = change.epoch
    return [_upright(path, "role:muted", "dot")], labels


def _upright(path: str, color: str, dash: str) -> Spec:
    return {
        "type": "path",
        "path": path,
        "yref": "paper",
        "layer": "below",
        "line": {"color": color, "width": 1.5, "dash": dash},
    }


def _label(epoch: int, text: str, epochs: int) -> Spec:
    """Stands at the top of an upright line, on the side where it has the room."""
    is_late = epoch > (1 - LABEL_DISTANCE) * epochs
    return {
        "x": epoch,
        "y": 1,
        "yref": "paper",
        "text": text,
        "xanchor": "right" if is_late else "left",
        "xshift": -3 if is_late else 3,
        "yanchor": "top",
        "showarrow": False,
        "font": {"size": SMALL_TEXT_SIZE},
    }
