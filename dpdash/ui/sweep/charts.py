"""The charts of a sweep: its map, the best so far, all settings at once, what matters, how slopes scatter."""

from collections.abc import Callable
from functools import lru_cache

import streamlit as st

from dpdash.charts.spec import Figure
from dpdash.charts.sweep import best_figure, map_figure
from dpdash.charts.sweep_settings import importance_figure, parallel_figure, spread_figure
from dpdash.core.sweep import Sweep
from dpdash.core.translations import Language
from dpdash.findings.sweep import best_so_far, importances, linear_rule, slope_spreads, sweep_map
from dpdash.ui.parts.controls import selection
from dpdash.ui.parts.live_chart import MAX_PLOTS, chart, picked
from dpdash.ui.session.inputs import Input
from dpdash.ui.session.language import _, current
from dpdash.ui.session.state import NUM_SHARED
from dpdash.ui.train import commands


def choose_map(sweep: Sweep) -> None:
    """Choose which two settings the map shows, where a sweep has more."""
    settings = list(sweep.plan.settings)
    if len(settings) <= MAX_PLOTS:
        return
    titles = {setting: current().title(setting) for setting in settings}
    with st.container(horizontal=True, key="sweep_map_axes"):
        for axis, label in zip(_axis_inputs(sweep), (_("Across"), _("Upwards")), strict=True):
            selection(
                axis, label, titles, width=240, help=_("A setting of the map; each cell shows its best trial.")
            )


def show_charts(sweep: Sweep) -> None:
    """Show all of them; a click on a trial opens it in Train."""
    show_map(sweep)
    more = _more_figures(sweep, current())
    for first in range(0, len(more), MAX_PLOTS):
        _show(f"sweep-more-{first}", sweep, more[first : first + MAX_PLOTS])


def show_map(sweep: Sweep) -> None:
    """Show where the trials lie, and the best so far."""
    x, y = _axes(sweep)
    _show("sweep-map", sweep, _map_figures(sweep, x, y, current()))


def _show(key: str, sweep: Sweep, figures: tuple[Figure, ...]) -> None:
    chart(key, sweep.sweep_id, figures, on_pick=_opening(key, len(figures), sweep.sweep_id))


def _opening(key: str, num_figures: int, sweep_id: str) -> Callable[[], None]:
    return lambda: commands.open_trial(sweep_id, lambda: picked(key, num_figures))


def _axes(sweep: Sweep) -> tuple[str, str | None]:
    """The settings of the map: those that were chosen, where this sweep has them and they differ."""
    settings = sweep.plan.settings
    if len(settings) > MAX_PLOTS:
        x, y = (axis.get() for axis in _axis_inputs(sweep))
        if x in settings and y in settings and x != y:
            return x, y
    return settings[0], settings[1] if len(settings) > 1 else None


def _axis_inputs(sweep: Sweep) -> tuple[Input[str], Input[str]]:
    x, y = sweep.plan.settings[:2]
    return Input("sweep_map_x", x), Input("sweep_map_y", y)


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
