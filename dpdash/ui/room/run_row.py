"""A run of the room, in a row."""

import html
from typing import Final

from dpdash.core.config import RunConfig
from dpdash.runs.service import RunSnapshot
from dpdash.ui.parts.header import status_text
from dpdash.ui.room.nicknames import COLOUR_NAMES, Nicknames
from dpdash.ui.session.language import _, current, number
from dpdash.ui.session.shown_run import epochs_per_second

TELLING: Final = ("samples", "noise", "learning_rate", "optimizer", "replicas")
"""The settings that tell one run from another."""


def row_html(shown: RunSnapshot, viewer: str, names: Nicknames) -> str:
    """One run in a row: whose it is, what it does, how far it is, and with which settings."""
    name = names.of(shown.owner)
    text = _(COLOUR_NAMES[name.colour]).format(number=number(name.number))
    if shown.owner == viewer:
        text = _("{name} (you)").format(name=text)
    epoch, epochs = shown.history.num_epochs, shown.config.epochs
    progress = _("epoch {epoch} of {epochs}").format(epoch=number(epoch), epochs=number(epochs))
    cells = (
        f"<strong class='dpdash-who dpdash-{name.colour}'>{html.escape(text)}</strong>",
        _cell("does", _doing(shown)),
        f"<span class='dpdash-far'><progress max='{epochs}' value='{epoch}' aria-label='{html.escape(progress)}'>"
        f"</progress> {html.escape(progress)}</span>",
        _cell("loss", _loss(shown)),
        _cell("fast", _speed(shown)),
        _cell("with", settings_in_short(shown.config)),
    )
    return f"<div class='dpdash-row'>{''.join(cells)}</div>"


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


def settings_in_short(config: RunConfig) -> str:
    """The settings that tell one run from another, in a line."""
    return current().settings(config, TELLING)
