"""The Runs page: every run that is kept, to be found again, named, compared, opened and repeated."""

from typing import Final

import streamlit as st

from dpdash.runs.library import Library
from dpdash.store.query import RunPage, RunQuery, Viewer
from dpdash.store.store import RunRecord
from dpdash.ui.parts.exports import export_menu, import_form
from dpdash.ui.parts.header import show_title
from dpdash.ui.parts.notices import show_error, show_warnings
from dpdash.ui.parts.refreshing import nothing, refreshing
from dpdash.ui.runs.commands import CHOSEN_KEY, chosen_ids, turn_where_asked
from dpdash.ui.runs.filters import begin_anew, choose_whose, columns_of, show_filters, show_stretches
from dpdash.ui.runs.overlay import pinned_baseline, show_overlay
from dpdash.ui.runs.selection import show_actions, show_folds, show_label, show_undo
from dpdash.ui.runs.table import show_table, stands_for
from dpdash.ui.session.language import _, number
from dpdash.ui.session.viewer import viewer
from dpdash.ui.train.commands import take_problem
from dpdash.web.process import run_service

REFRESH_SECONDS: Final = 2.0
MINUTE: Final = 60


def show_runs() -> None:
    """Show the page, looked at again on a timer only while a run that it shows is not over."""
    turn_where_asked()
    kept, who = run_service().library, viewer()
    show_title(_("Runs"))
    _show_notices(kept, who)
    show_undo()
    listed = choose_whose(who)
    query = show_filters(listed, kept.tags(listed))
    page = kept.page(query)
    if query.offset and not page.rows:
        begin_anew()
        st.rerun()
    if page.is_unsearched:
        st.warning(_("Without the database nothing is searched: these are all runs of this process."))
    _choose_from(query, page)
    chosen = kept.records(chosen_ids(), who)
    show_folds(page, chosen_ids())
    show_actions(chosen)
    export_menu(tuple(record.run_id for record in chosen))
    if len(chosen) == 1 and chosen[0].deleted_at is None:
        show_label(chosen[0])
    # The only run there is needs no choice to be looked at.
    show_overlay(chosen or (page.rows if page.num_found == 1 and not page.folds else ()), _baseline(kept, who))
    import_form()
    trials = (status for fold in page.folds.values() for status in fold.statuses)
    if not all(status.is_over for status in (*trials, *(record.status for record in (*page.rows, *chosen)))):
        ids = tuple(record.run_id for record in chosen)
        refreshing(
            lambda: (kept.page(query), kept.records(ids, who)),
            nothing,
            lambda seen: seen,
            (page, chosen),
            REFRESH_SECONDS,
        )


def _choose_from(query: RunQuery, page: RunPage) -> None:
    """Show the table, and let what is selected in it be chosen; runs of other stretches stay so."""
    if not page.rows:
        st.info(_("No run is like that. Train one, or search for something else."))
        return
    before = dict.fromkeys(chosen_ids())
    alone = [row for row in page.rows if row.run_id not in page.folds]
    selected = show_table(page, before, columns_of(alone))
    show_stretches(query, page)
    kept = dict(before)
    for row in page.rows:
        runs, is_chosen = stands_for(page, row.run_id), row.run_id in selected
        # Of trials some of which are chosen, one by one, the row is not selected, and they stay so.
        if is_chosen != (set(runs) <= before.keys()):
            kept = {run_id: None for run_id in kept if run_id not in runs} | (
                dict.fromkeys(runs) if is_chosen else {}
            )
    st.session_state[CHOSEN_KEY] = tuple(kept)


def _baseline(kept: Library, who: Viewer) -> tuple[RunRecord, ...]:
    run_id = pinned_baseline()
    return kept.records((run_id,), who) if run_id is not None else ()


def _show_notices(kept: Library, who: Viewer) -> None:
    problem = take_problem()
    if problem is not None:
        show_error(problem)
    not_saved = run_service().runs.health.problem
    if not_saved is not None:
        show_warnings([not_saved])
    _show_retention(kept)
    if not who.sees_all:
        st.caption(_("Here are the runs that this browser has started."))


def _show_retention(kept: Library) -> None:
    """Say what is about to be deleted, and why."""
    found = kept.retention
    if found is None:
        return
    limits = []
    if found.keep_runs is not None:
        limits.append(_("{number} runs (DPDASH_KEEP_RUNS)").format(number=number(found.keep_runs)))
    if found.keep_megabytes is not None:
        limits.append(_("{number} MB (DPDASH_KEEP_MEGABYTES)").format(number=number(found.keep_megabytes)))
    limit = limits[0] if len(limits) == 1 else _("{first} and {second}").format(first=limits[0], second=limits[1])
    if not found.num_due:
        text = _("This server keeps at most {limit}; then the oldest that are not pinned are deleted.")
        st.caption(text.format(limit=limit))
        return
    text = _(
        "{number} runs will be deleted, the first in {minutes} minutes: the oldest that are not pinned. This "
        "server keeps at most {limit}. Pin what is to stay."
    )
    minutes = number(max(1, round(found.seconds_left / MINUTE)))
    st.warning(text.format(number=number(found.num_due), minutes=minutes, limit=limit))
