"""A run of the room: whose it is, its curve, and what it does."""

import html
from typing import Final
from urllib.parse import quote
from weakref import WeakKeyDictionary

import numpy as np

from dpdash.core.history import HistorySnapshot
from dpdash.runs.service import RunSnapshot
from dpdash.ui.parts.header import status_text
from dpdash.ui.room.nicknames import Nicknames, nickname_html, nickname_text
from dpdash.ui.session.language import _, current, number
from dpdash.ui.session.shown_run import epochs_per_second

CURVE_POINTS: Final = 48
CURVE_WIDTH: Final = 100
CURVE_HEIGHT: Final = 30
CURVE_EDGE: Final = 2
LOWEST_LOSS: Final = 1e-12
"""What is lower is drawn here: the curve's scale is logarithmic, and a loss can be 0."""

_curves: WeakKeyDictionary[HistorySnapshot, str] = WeakKeyDictionary()
"""The pictures of the curves that are kept elsewhere: a run that is over has the same one for good."""


def row_html(shown: RunSnapshot, viewer: str, names: Nicknames) -> str:
    """One run: whose it is, its curve, what it does, how far it is, and with which engine and settings."""
    name = names.of(shown.owner)
    text = nickname_text(name)
    if shown.owner == viewer:
        text = _("{name} (you)").format(name=text)
    epoch, epochs = shown.history.num_epochs, shown.config.epochs
    progress = _("epoch {epoch} of {epochs}").format(epoch=number(epoch), epochs=number(epochs))
    cells = (
        nickname_html(name, text),
        _cell("does", _doing(shown)),
        f"<span class='dpdash-curve' style='{html.escape(_curve_style(shown))}'></span>",
        _cell("loss", _loss(shown)),
        _cell("fast", _speed(shown)),
        f"<span class='dpdash-far'><progress max='{epochs}' value='{epoch}' aria-label='{html.escape(progress)}'>"
        f"</progress> {html.escape(progress)}</span>",
        _cell("with", f"{current().engine(shown.config)} · {_name(shown)}"),
    )
    return f"<div class='dpdash-row dpdash-{name.colour}'>{''.join(cells)}</div>"


def _cell(name: str, text: str) -> str:
    return f"<span class='dpdash-{name}'>{html.escape(text)}</span>"


def _doing(shown: RunSnapshot) -> str:
    if shown.waiting_for == "full_speed" and shown.place is not None:
        return _("{status}, place {place} for full speed").format(
            status=status_text(shown), place=number(shown.place)
        )
    return status_text(shown)


def _speed(shown: RunSnapshot) -> str:
    rate = epochs_per_second(shown)
    return "" if rate is None else _("{rate} epochs/s").format(rate=number(rate))


def _loss(shown: RunSnapshot) -> str:
    latest = shown.history.latest
    return "" if latest is None else _("loss {loss}").format(loss=number(float(latest.loss)))


def _curve_style(shown: RunSnapshot) -> str:
    """The loss as a mask: what it lets through has the colour of the run's browser, in either theme."""
    if shown.history not in _curves:
        _curves[shown.history] = curve_picture(shown.history, shown.config.epochs)
    return f'mask-image: url("data:image/svg+xml,{quote(_curves[shown.history])}")'


def curve_picture(history: HistorySnapshot, num_epochs: int) -> str:
    """The loss so far as a line in an SVG, over as many epochs as there will be, on a logarithmic scale."""
    epochs, losses = history.curve("loss", CURVE_POINTS)
    levels = np.log10(np.maximum(losses, LOWEST_LOSS))
    is_finite = np.isfinite(levels)
    epochs, levels = epochs[is_finite], levels[is_finite]
    low, high = (levels.min(), levels.max()) if levels.size else (0.0, 0.0)
    heights = (levels - low) / (high - low) if high > low else np.zeros_like(levels)
    across = CURVE_WIDTH * epochs / num_epochs
    down = CURVE_HEIGHT - CURVE_EDGE - heights * (CURVE_HEIGHT - 2 * CURVE_EDGE)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {CURVE_WIDTH} {CURVE_HEIGHT}' "
        f"preserveAspectRatio='none'><polyline points='{points}' fill='none' stroke='#000' stroke-width='2' "
        "vector-effect='non-scaling-stroke'/></svg>"
    )


def _name(shown: RunSnapshot) -> str:
    return current().run_name(shown.config, shown.history.learning_rate_changes)
