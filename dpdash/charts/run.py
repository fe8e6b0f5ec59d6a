"""A run's two charts, the loss per epoch and the fitted line, for whoever shows it: a page or a file."""

from dataclasses import dataclass
from typing import Final

from dpdash.charts.fit import fit_base, fit_update, x_range
from dpdash.charts.loss import loss_base, loss_update
from dpdash.charts.spec import Figure, Update
from dpdash.core.config import RunConfig
from dpdash.core.events import COLUMNS, RunStatus
from dpdash.core.history import HistorySnapshot, Row
from dpdash.core.preview import Preview
from dpdash.core.translations import Language

NUM_GHOSTS: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class RunView:
    """A run at one of its epochs, or the preview of one that has not begun; equal only to itself."""

    name: str
    """What zoom and legend choices belong to, and what a report calls the run."""
    config: RunConfig
    preview: Preview
    history: HistorySnapshot | None
    """None for a preview."""
    run_id: str | None
    status: RunStatus | None
    row: Row | None
    """The epoch shown; None before the first."""
    line: tuple[float, float]
    """Slope and intercept shown."""
    cursor: int | None = None
    """The epoch looked back to; None while the newest is shown."""
    created_at: float | None = None
    """Unix time in seconds."""
    is_imported: bool = False
    note: str = ""


def untrained(config: RunConfig, known: Preview) -> RunView:
    """The preview of a run that has not begun."""
    return RunView("preview", config, known, None, None, None, None, (known.slope, known.intercept))


def newest(run_id: str, config: RunConfig, known: Preview, status: RunStatus, history: HistorySnapshot) -> RunView:
    """A run at its newest epoch."""
    line = history.line or (known.slope, known.intercept)
    return RunView(run_id, config, known, history, run_id, status, history.latest, line)


def loss_figure(shown: RunView, language: Language) -> tuple[Figure, Update]:
    """The loss per epoch."""
    return loss_still(shown.config, shown.preview, language), loss_now(shown, language)


def fit_figure(shown: RunView, language: Language) -> tuple[Figure, Update]:
    """The data and the line that is shown, with lines of earlier epochs."""
    return fit_still(shown.config, shown.preview, language), fit_now(shown)


def loss_still(config: RunConfig, known: Preview, language: Language) -> Figure:
    """What stands still of the loss."""
    flat_line_loss = None if config.data is None else known.moments.var_y
    return loss_base(config, known.noise_floor, known.optimum.loss, language, flat_line_loss)


def fit_still(config: RunConfig, known: Preview, language: Language) -> Figure:
    """What stands still of the fit."""
    best_line = None if config.data is None else (known.optimum.slope, known.optimum.intercept)
    return fit_base(known.x, known.y, known.replica, config.replicas, config, language, best_line)


def loss_now(shown: RunView, language: Language) -> Update:
    """What brings the loss up to the epoch shown."""
    if shown.history is None:
        return Update(traces={"loss": {"x": [], "y": []}, "now": {"x": [], "y": []}})
    return loss_update(shown.history, shown.row, shown.cursor, shown.config.epochs, language)


def fit_now(shown: RunView) -> Update:
    """What brings the fit up to the epoch shown, with lines of epochs spread evenly over those before it."""
    across = x_range(shown.preview.x, shown.config)
    return fit_update(shown.line, lines_up_to(shown, NUM_GHOSTS, inclusive=False), across)


def lines_up_to(shown: RunView, max_lines: int, *, inclusive: bool) -> list[tuple[float, float]]:
    """Slope and intercept of epochs spread evenly over those before the one shown, that one too if `inclusive`."""
    if shown.history is None:
        return []
    epoch = shown.row.epoch if shown.row else 0
    epochs, values = shown.history.spread(max_lines)
    wanted = epochs <= epoch if inclusive else epochs < epoch
    slopes, intercepts = values[COLUMNS.index("slope"), wanted], values[COLUMNS.index("intercept"), wanted]
    return list(zip(slopes.tolist(), intercepts.tolist(), strict=True))
