"""What can be done with the runs that are chosen, and with those that were just deleted."""

from collections.abc import Collection, Sequence
from typing import Final

import streamlit as st

from dpdash.store.query import LONGEST_NAME, LONGEST_NOTE, LONGEST_TAG, MOST_TAGS, RunPage
from dpdash.store.store import RunRecord
from dpdash.ui.parts.button import button, once
from dpdash.ui.runs import commands as run_commands
from dpdash.ui.runs.commands import DELETED_KEY
from dpdash.ui.runs.filters import unfolded
from dpdash.ui.session.language import _, current, number

NOTE_HEIGHT: Final = 100
LONGEST_TAGS: Final = MOST_TAGS * (LONGEST_TAG + 2)


def show_undo() -> None:
    """Offer to put back what was deleted last."""
    gone: tuple[str, ...] = st.session_state.get(DELETED_KEY, ())
    if not gone:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="runs_gone"):
        st.markdown(
            _("Runs deleted: {number}. They stay under *Deleted* for a day.").format(number=number(len(gone)))
        )
        button(_("Undo"), "runs_undo", "undo", lambda: run_commands.restore(gone), type="primary")
        button(_("Dismiss"), "runs_dismiss", "close", run_commands.dismiss_deleted)


def show_actions(chosen: Sequence[RunRecord]) -> None:
    """Show what can be done with all of the runs that are chosen, or with the only one."""
    if not chosen:
        st.markdown(_("Select runs in the table to open, compare, name, keep or delete them."))
        return
    ids = tuple(record.run_id for record in chosen)
    with st.container(horizontal=True, vertical_alignment="center", key="runs_actions"):
        st.markdown(_("Chosen: {number}").format(number=number(len(chosen))))
        if len(chosen) == 1:
            _show_actions_for_one(chosen[0])
        if all(record.deleted_at is not None for record in chosen):
            button(
                _("Restore"),
                "runs_restore",
                "restore_from_trash",
                lambda: run_commands.restore(ids),
                type="primary",
            )
        else:
            _show_keeping(chosen, ids)
        button(_("Choose none"), "runs_none", "deselect", run_commands.choose_none)


def show_folds(page: RunPage, chosen: Collection[str]) -> None:
    """Show what can be done with rows that stand for a sweep's trials."""
    folds = [fold for fold in page.folds.values() if set(fold.run_ids) <= set(chosen)]
    if not folds and not unfolded():
        return
    with st.container(horizontal=True, vertical_alignment="center", key="runs_folds"):
        if folds:
            sweep_ids = tuple(fold.sweep_id for fold in folds)
            button(_("Show the runs one by one"), "runs_unfold", "list", lambda: run_commands.unfold(sweep_ids))
        if len(folds) == 1:
            button(
                _("Open the sweep"), "runs_open_sweep", "tune", lambda: run_commands.open_sweep(folds[0].sweep_id)
            )
        if unfolded():
            button(_("Each sweep in one row"), "runs_fold", "expand_less", run_commands.fold)


def show_label(record: RunRecord) -> None:
    """Show a run's name, note and tags, to be changed."""
    keys = tuple(f"runs_{field}_{record.run_id}" for field in ("name", "note", "tags"))
    name, note, tags = keys
    with st.form(f"runs_label_{record.run_id}"):
        with st.container(horizontal=True, key="runs_label"):
            st.text_input(
                _("Name"),
                record.name or "",
                key=name,
                max_chars=LONGEST_NAME,
                placeholder=current().run_name(record.config, record.learning_rate_changes),
                help=_("Left empty, the run is called by what is not as usual in its settings."),
            )
            st.text_input(
                _("Tags"),
                ", ".join(record.tags),
                key=tags,
                max_chars=LONGEST_TAGS,
                placeholder=_("with commas between them"),
            )
        st.text_area(_("Note"), record.note, key=note, height=NOTE_HEIGHT, max_chars=LONGEST_NOTE)
        st.form_submit_button(
            _("Save name, tags and note"),
            key="runs_save",
            on_click=once(lambda: run_commands.label(record.run_id, (name, note, tags))),
        )


def _show_actions_for_one(record: RunRecord) -> None:
    button(
        _("Open"),
        "runs_open",
        "open_in_new",
        lambda: run_commands.open_run(record.run_id, record.config),
        type="primary",
        help=_("Show this run on the Train page, to look back through every epoch."),
    )
    button(
        _("Repeat"),
        "runs_repeat",
        "replay",
        lambda: run_commands.repeat(record.config),
        help=_("Start a new run with the same settings and seed: on the same kind of machine, the same numbers."),
    )
    button(
        _("Branch"),
        "runs_branch",
        "call_split",
        lambda: run_commands.branch(record.config),
        help=_("Open these settings on the Train page, to change some and start."),
    )


def _show_keeping(chosen: Sequence[RunRecord], ids: tuple[str, ...]) -> None:
    if all(record.is_pinned for record in chosen):
        button(_("Unpin"), "runs_unpin", "keep_off", lambda: run_commands.pin(ids, False))
    else:
        button(
            _("Pin"),
            "runs_pin",
            "keep",
            lambda: run_commands.pin(ids, True),
            help=_("A pinned run is never deleted to make room for others."),
        )
    button(_("Delete"), "runs_delete", "delete", lambda: run_commands.delete(ids))
