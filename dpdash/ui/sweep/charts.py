"""The charts of a sweep: its map, the best so far, all settings at once, what matters, how slopes scatter."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import streamlit as st

from dpdash.charts.spec import Figure
from dpdash.charts.sweep import best_figure, map_figure
from dpdash.charts.sweep_settings import importance_figure, parallel_figure, spread_figure
from dpdash.core.sweep import Sweep
from dpdash.core.translations import Language
from dpdash.findings.sweep import best_so_far, importances, linear_rule, slope_spreads, sweep_map
from dpdash.ui.parts.live_chart import MAX_PLOTS, chart, picked
from dpdash.ui.session.language import _, current
from dpdash.ui.session.state import NUM_SHARED
from dpdash.ui.train import commands

X_KEY: Final = "sweep_map_x"
Y_KEY: Final = "sweep_map_y"


def choose_map(sweep: Sweep) -> None:
    """Choose which two settings the map shows, where a sweep has more."""
    settings = list(sweep.plan.settings)
    if len(settings) <= MAX_PLOTS:
        return
    titles = {setting: current().title(setting) for setting in settings}
    with st.container(horizontal=True, key="sweep_map_axes"):
        for key, label, usual in ((X_KEY, _("Across"), settings[0]), (Y_KEY, _("Upwards"), settings[1])):
            if st.session_state.get(key) not in settings:
                st.session_state[key] = usual
            st.selectbox(
                label,
                settings,
                key=key,
                persist_state="session",
                format_func=titles.__getitem__,
                width=240,
                help=_("A setting of the map; each cell shows its best trial."),
            )


def show_charts(sweep: Sweep) -> None:
    """Show all of them; a click on a trial opens it in Train."""
    x, y = _axes(sweep)
    language = current()
    _show("sweep-map", sweep, _map_figures(sweep, x, y, language))
    more = _more_figures(sweep, language)
    for first in range(0, len(more), MAX_PLOTS):
        _show(f"sweep-more-{first}", sweep, more[first : first + MAX_PLOTS])


def _show(key: str, sweep: Sweep, figures: tuple[Figure, ...]) -> None:
    chart(key, sweep.sweep_id, figures, on_pick=_opening(key, len(figures), sweep.sweep_id))


def _opening(key: str, num_figures: int, sweep_id: str) -> Callable[[], None]:
    return lambda: commands.open_trial(sweep_id, lambda: picked(key, num_figures))


def _axes(sweep: Sweep) -> tuple[str, str | None]:
    """The settings of the map: those that were chosen, where this sweep has them and they differ."""
    settings = sweep.plan.settings
    x, y = st.session_state.get(X_KEY), st.session_state.get(Y_KEY)
    if len(settings) > MAX_PLOTS and x in settings and y in settings and x != y:
        return str(x), str(y)
    return settings[0], settings[1] if len(settings) > 1 else None


@lru_cache(maxsize=NUM_SHARED)
def _map_figures(sweep: Sweep, x: str, y: str | None, language: Language) -> tuple[Figure, ...]:
    return (
        map_figure(sweep, sweep_map(sweep, x, y), linear_rule(sweep) if _draws_rule(x, y) else None, language),
        best_figure(sweep, best_so_far(sweep), language),
    )


def _draws_rule(x: str, y: str | None) -> bool:
    return {x, y} == {"learning_rate", "global_batch_size"}


@lru_cache(maxsize=NUM_SHARED)
def _more_figures(sweep: Sweep, language: Language) -> tuple[Figure, ...]:
    shares, spreads = importances(sweep), slope_spreads(sweep)
    figures = (parallel_figure(sweep, language), importance_figure(shares, language))
    # First where it is what the sweep is about: its trials then differ in their seeds.
    return (spread_figure(spreads, language), *figures) if spreads else figures
