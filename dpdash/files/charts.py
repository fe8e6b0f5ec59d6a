"""A run's two charts, the loss per epoch and the fitted line, for whoever shows it: a page or a file."""

from typing import Final, Protocol

from dpdash.charts.fit import fit_base, fit_update
from dpdash.charts.loss import loss_base, loss_update
from dpdash.charts.spec import Figure, Update
from dpdash.core.config import RunConfig
from dpdash.core.events import COLUMNS
from dpdash.core.history import HistorySnapshot, Row
from dpdash.core.translations import Language
from dpdash.problem.preview import Preview, preview

NUM_GHOSTS: Final = 8


class Charted(Protocol):
    """A run at an epoch, or the preview of one."""

    @property
    def config(self) -> RunConfig: ...
    @property
    def preview(self) -> Preview: ...
    @property
    def history(self) -> HistorySnapshot | None:
        """None for a preview."""
        ...

    @property
    def row(self) -> Row | None:
        """The epoch shown; None before the first."""
        ...

    @property
    def line(self) -> tuple[float, float]:
        """Slope and intercept shown."""
        ...

    @property
    def cursor(self) -> int | None:
        """The epoch looked back to; None while the newest is shown."""
        ...


def loss_figure(shown: Charted, language: Language) -> tuple[Figure, Update]:
    """The loss per epoch."""
    return loss_still(shown.config, language), loss_now(shown, language)


def fit_figure(shown: Charted, language: Language) -> tuple[Figure, Update]:
    """The data and the line that is shown, with lines of earlier epochs."""
    return fit_still(shown.config, language), fit_now(shown)


def loss_still(config: RunConfig, language: Language) -> Figure:
    """What stands still of the loss."""
    known = preview(config)
    return loss_base(config, known.noise_floor, known.optimum.loss, language.text, language.separators)


def fit_still(config: RunConfig, language: Language) -> Figure:
    """What stands still of the fit."""
    known = preview(config)
    words = (language.text, language.separators)
    return fit_base(known.x, known.y, known.replica, config.replicas, config, *words)


def loss_now(shown: Charted, language: Language) -> Update:
    """What brings the loss up to the epoch shown."""
    if shown.history is None:
        return Update(traces={"loss": {"x": [], "y": []}, "now": {"x": [], "y": []}})
    return loss_update(shown.history, shown.cursor, language.text, language.separators)


def fit_now(shown: Charted) -> Update:
    """What brings the fit up to the epoch shown, with lines of epochs spread evenly over those before it."""
    return fit_update(shown.line, lines_up_to(shown, NUM_GHOSTS, inclusive=False))


def lines_up_to(shown: Charted, max_lines: int, *, inclusive: bool) -> list[tuple[float, float]]:
    """Slope and intercept of epochs spread evenly over those before the one shown, that one too if `inclusive`."""
    if shown.history is None:
        return []
    epoch = shown.row.epoch if shown.row else 0
    epochs, values = shown.history.spread(max_lines)
    wanted = epochs <= epoch if inclusive else epochs < epoch
    slopes, intercepts = values[COLUMNS.index("slope"), wanted], values[COLUMNS.index("intercept"), wanted]
    return list(zip(slopes.tolist(), intercepts.tolist(), strict=True))
