"""The two charts that are always there: the loss per epoch and the fitted line."""

import time
from functools import lru_cache
from typing import Final

from dpdash.charts.spec import Update
from dpdash.core.translations import Language
from dpdash.files.charts import fit_now, fit_still, loss_now, loss_still
from dpdash.ui.parts.live_chart import chart
from dpdash.ui.session.language import current
from dpdash.ui.session.state import NUM_SHARED, View

TRAINING_CHARTS: Final = "training"
NUM_BASES: Final = 64
"""Figures that stand still, kept for all pages: a crowd watches fewer different runs than this."""

_loss_base = lru_cache(maxsize=NUM_BASES)(loss_still)
_fit_base = lru_cache(maxsize=NUM_BASES)(fit_still)


def show_training_charts(view: View) -> None:
    """Show what stands still of loss and fit."""
    language = current()
    chart(TRAINING_CHARTS, view.name, [_loss_base(view.config, language), _fit_base(view.config, language)])


def training_updates(view: View) -> dict[str, list[Update]]:
    """What brings both up to the epoch shown."""
    return {TRAINING_CHARTS: _training_updates(view, current())}


@lru_cache(maxsize=NUM_SHARED)
def _training_updates(view: View, language: Language) -> list[Update]:
    return [loss_now(view, language), fit_now(view)]


def sequence() -> int:
    """A number that only grows, also over a restart of the server: the browser drops what is older."""
    return time.monotonic_ns() // 1_000_000
