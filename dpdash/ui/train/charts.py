"""The two charts that are always there: the loss per epoch and the fitted line."""

import time
from functools import lru_cache
from typing import Final

from dpdash.charts.run import RunView, fit_now, fit_still, loss_now, loss_still
from dpdash.charts.spec import Figure, Update
from dpdash.core.config import RunConfig
from dpdash.core.translations import Language
from dpdash.problem.preview import preview
from dpdash.ui.parts.live_chart import chart
from dpdash.ui.session.language import current
from dpdash.ui.session.state import NUM_SHARED

TRAINING_CHARTS: Final = "training"
NUM_BASES: Final = 64
"""Figures that stand still, kept for all pages: a crowd watches fewer different runs than this."""


def show_training_charts(view: RunView) -> None:
    """Show what stands still of loss and fit."""
    language = current()
    chart(TRAINING_CHARTS, view.name, _still(view.config, language))


@lru_cache(maxsize=NUM_BASES)
def _still(config: RunConfig, language: Language) -> list[Figure]:
    known = preview(config)
    return [loss_still(config, known, language), fit_still(config, known, language)]


def training_updates(view: RunView) -> dict[str, list[Update]]:
    """What brings both up to the epoch shown."""
    return {TRAINING_CHARTS: _training_updates(view, current())}


@lru_cache(maxsize=NUM_SHARED)
def _training_updates(view: RunView, language: Language) -> list[Update]:
    return [loss_now(view, language), fit_now(view)]


def sequence() -> int:
    """A number that only grows, also over a restart of the server: the browser drops what is older."""
    return time.monotonic_ns() // 1_000_000
