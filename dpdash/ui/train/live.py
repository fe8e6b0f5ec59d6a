"""What changes while a run trains: one fragment that refreshes itself for as long as something can change.

Each message of a refresh costs, whatever is in it. So the page itself draws what stands still, once, and leaves
room for the rest: one place for each group of things that stand together, as each place costs a message too.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpdash.charts.run import RunView, newest, untrained
from dpdash.core.config import RunConfig
from dpdash.core.events import RunStatus
from dpdash.core.history import HistorySnapshot
from dpdash.problem.preview import preview
from dpdash.runs.service import RunSnapshot
from dpdash.ui.parts.live_chart import feed
from dpdash.ui.parts.metrics import metrics, metrics_row, replicas, show_metrics
from dpdash.ui.parts.refreshing import refreshing
from dpdash.ui.session.language import _, number
from dpdash.ui.session.shown_run import epochs_per_second, shown_run
from dpdash.ui.session.state import NUM_SHARED, wanted_settings
from dpdash.ui.train.advice import advice_box, show_advice
from dpdash.ui.train.charts import sequence, show_training_charts, training_updates
from dpdash.ui.train.look_back import chosen_epoch, show_idle_look_back, show_look_back
from dpdash.ui.train.views import (
    Newest,
    ViewName,
    choose_view,
    show_downloads,
    show_table,
    show_view_chart,
    view_updates,
)
from dpdash.web.process import run_service


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a refresh puts what it shows, and which look the page has chosen."""

    numbers: DeltaGenerator
    advice: DeltaGenerator
    table: DeltaGenerator | None
    """None where another look is chosen."""
    has_look_back: bool
    """Whether a refresh shows it; while a run moves nobody can take it, and the page has drawn it once."""
    look: ViewName
    newest: Newest


def live_area(shown: RunSnapshot | None) -> None:
    """Show progress, numbers, charts, advice and the look back; refreshed on a timer only while a run moves."""
    view = _view(shown)
    numbers = metrics_row()
    show_training_charts(view)
    advice, look_back = advice_box(), st.container()
    look = choose_view()
    show_view_chart(look, view)
    table = st.container() if look == ViewName.TABLE else None
    is_moving = shown is not None and shown.is_moving
    place = _Place(numbers, advice, table, not is_moving, look, Newest(view))
    interval = run_service().room.refresh_seconds if is_moving else None
    with look_back:
        if is_moving:
            show_idle_look_back(view)
        refreshing(shown_run, lambda seen: _show(seen, place), _frame, _frame(shown), interval)
    # After the fragment, which has taken the first place in the row.
    with numbers:
        show_metrics([replicas(view)])
    if table is not None:
        show_downloads(place.newest)


def _frame(shown: RunSnapshot | None) -> tuple[object, ...]:
    """What the rest of the page has drawn; when it changes, the whole page is run again."""
    service = run_service()
    room = (service.room.spotlight, service.room.is_frozen, service.room.generation)
    if shown is None:
        return room
    return (
        *room,
        service.room.refresh_seconds,
        shown.run_id,
        shown.status,
        shown.waiting_for,
        shown.place,
        shown.saved.problem,
        shown.is_moving,
        shown.is_stopping,
        shown.history.learning_rate_changes,
    )


def _show(shown: RunSnapshot | None, place: _Place) -> None:
    view = _view(shown)
    place.newest.view = view
    feed(view.name, sequence(), training_updates(view) | view_updates(place.look, view), wakes=True)
    with place.numbers:
        _show_progress(shown)
        show_metrics(metrics(view))
    with place.advice:
        show_advice(shown, view)
    if place.has_look_back:
        show_look_back(view)
    if place.table is not None:
        with place.table:
            show_table(view)


def _view(shown: RunSnapshot | None) -> RunView:
    if shown is None:
        config = wanted_settings()
        return untrained(config, preview(config))
    newest = _newest_view(shown.run_id, shown.config, shown.status, shown.history)
    cursor = chosen_epoch(shown)
    if cursor is None:
        return newest
    row = run_service().runs.row(shown.run_id, cursor)
    return replace(newest, cursor=cursor, row=row, line=(row.slope, row.intercept) if row else newest.line)


@lru_cache(maxsize=NUM_SHARED)
def _newest_view(run_id: str, config: RunConfig, status: RunStatus, history: HistorySnapshot) -> RunView:
    """The same object for all pages that show the same history."""
    return newest(run_id, config, preview(config), status, history)


def _show_progress(shown: RunSnapshot | None) -> None:
    if shown is None:
        st.progress(0.0, _("Not started. The charts show the data and the untrained line."))
        return
    num_epochs, epochs = shown.history.num_epochs, shown.config.epochs
    text = progress = _("epoch {epoch} of {epochs}").format(epoch=number(num_epochs), epochs=number(epochs))
    left = _seconds_left(shown)
    if left is not None:
        seconds = max(1, round(left))
        # In other languages one second has a verb of its own.
        text = _("{progress} · 1 s left") if seconds == 1 else _("{progress} · {seconds} s left")
        text = text.format(progress=progress, seconds=number(seconds))
    elif shown.status.is_over:
        text = f"{progress} · {_computing(shown)}"
    st.progress(num_epochs / epochs, text)


def _computing(ended: RunSnapshot) -> str:
    """How long a run has computed, which at a chosen pace was not all the time that one watched it."""
    seconds, rate = ended.history.seconds, ended.pace and ended.pace.epochs_per_second(ended.config)
    watched = ended.history.num_epochs / rate if rate else 0.0
    if watched <= seconds:
        return _("{seconds} s of computing").format(seconds=number(seconds))
    return _("{seconds} s of computing ({watched} s at the chosen pace)").format(
        seconds=number(seconds), watched=number(watched)
    )


def _seconds_left(shown: RunSnapshot) -> float | None:
    rate = epochs_per_second(shown)
    return None if rate is None else (shown.config.epochs - shown.history.num_epochs) / rate
