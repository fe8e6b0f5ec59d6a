"""The two charts that are always there: the loss per epoch and the fitted line."""

import time
from functools import lru_cache
from typing import Final

from dpdash.config import RunConfig
from dpdash.figures.fit import fit_base, fit_update
from dpdash.figures.loss import loss_base, loss_update
from dpdash.figures.spec import Figure, Update
from dpdash.problem.preview import preview
from dpdash.translations import Language
from dpdash.ui.language import current
from dpdash.ui.live_chart import chart, feed
from dpdash.ui.state import View

TRAINING_CHARTS: Final = "training"
NUM_GHOSTS: Final = 8
NUM_BASES: Final = 64
"""Figures that stand still, kept for all pages: a crowd watches fewer different runs than this."""


def show_training_charts(view: View) -> None:
    """Show loss and fit, and bring them up to the epoch shown."""
    loss, loss_now = loss_figure(view, current())
    fit, fit_now = fit_figure(view, current())
    chart(TRAINING_CHARTS, view.name, [loss, fit])
    feed(TRAINING_CHARTS, view.name, sequence(), [loss_now, fit_now], wakes=True)


def loss_figure(view: View, language: Language) -> tuple[Figure, Update]:
    """The loss per epoch."""
    base = _loss_base(view.config, language)
    if view.history is None:
        return base, Update(traces={"loss": {"x": [], "y": []}, "now": {"x": [], "y": []}})
    return base, loss_update(view.history, view.cursor, language.text, language.separators)


def fit_figure(view: View, language: Language) -> tuple[Figure, Update]:
    """The data and the line that is shown, with lines of earlier epochs."""
    return _fit_base(view.config, language), fit_update(view.line, _ghosts(view))


@lru_cache(maxsize=NUM_BASES)
def _loss_base(config: RunConfig, language: Language) -> Figure:
    known = preview(config)
    return loss_base(config, known.noise_floor, known.optimum.loss, language.text, language.separators)


@lru_cache(maxsize=NUM_BASES)
def _fit_base(config: RunConfig, language: Language) -> Figure:
    known = preview(config)
    words = (language.text, language.separators)
    return fit_base(known.x, known.y, known.replica, config.replicas, config, *words)


def sequence() -> int:
    """A number that only grows, also over a restart of the server: the browser drops what is older."""
    return time.monotonic_ns() // 1_000_000


def _ghosts(view: View) -> list[tuple[float, float]]:
    """Lines of earlier epochs, evenly spread over those before the one shown."""
    if view.history is None:
        return []
    epoch = view.row.epoch if view.row else 0
    return [(row.slope, row.intercept) for row in view.history.rows(NUM_GHOSTS) if row.epoch < epoch]
