"""The two charts that are always there: the loss per epoch and the fitted line."""

import time
from functools import lru_cache
from typing import Final

from dpdash.config import RunConfig
from dpdash.events import COLUMNS
from dpdash.figures.fit import fit_base, fit_update
from dpdash.figures.loss import loss_base, loss_update
from dpdash.figures.spec import Figure, Update
from dpdash.problem.preview import preview
from dpdash.translations import Language
from dpdash.ui.language import current
from dpdash.ui.live_chart import chart
from dpdash.ui.state import NUM_SHARED, View

TRAINING_CHARTS: Final = "training"
NUM_GHOSTS: Final = 8
NUM_BASES: Final = 64
"""Figures that stand still, kept for all pages: a crowd watches fewer different runs than this."""


def show_training_charts(view: View) -> None:
    """Show what stands still of loss and fit."""
    language = current()
    chart(TRAINING_CHARTS, view.name, [_loss_base(view.config, language), _fit_base(view.config, language)])


def training_updates(view: View) -> dict[str, list[Update]]:
    """What brings both up to the epoch shown."""
    return {TRAINING_CHARTS: _training_updates(view, current())}


@lru_cache(maxsize=NUM_SHARED)
def _training_updates(view: View, language: Language) -> list[Update]:
    return [_loss_update(view, language), _fit_update(view)]


def loss_figure(view: View, language: Language) -> tuple[Figure, Update]:
    """The loss per epoch."""
    return _loss_base(view.config, language), _loss_update(view, language)


def fit_figure(view: View, language: Language) -> tuple[Figure, Update]:
    """The data and the line that is shown, with lines of earlier epochs."""
    return _fit_base(view.config, language), _fit_update(view)


def _loss_update(view: View, language: Language) -> Update:
    if view.history is None:
        return Update(traces={"loss": {"x": [], "y": []}, "now": {"x": [], "y": []}})
    return loss_update(view.history, view.cursor, language.text, language.separators)


def _fit_update(view: View) -> Update:
    return fit_update(view.line, _ghosts(view))


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
    return lines_up_to(view, NUM_GHOSTS, inclusive=False)


def lines_up_to(view: View, max_lines: int, *, inclusive: bool) -> list[tuple[float, float]]:
    """Slope and intercept of epochs spread evenly over those before the one shown, that one too if `inclusive`."""
    if view.history is None:
        return []
    shown = view.row.epoch if view.row else 0
    epochs, values = view.history.spread(max_lines)
    wanted = epochs <= shown if inclusive else epochs < shown
    slopes, intercepts = values[COLUMNS.index("slope"), wanted], values[COLUMNS.index("intercept"), wanted]
    return list(zip(slopes.tolist(), intercepts.tolist(), strict=True))
