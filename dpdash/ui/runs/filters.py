"""What the list of runs is searched for, how it is sorted, and which stretch of it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final, TypeVar

import streamlit as st

from dpdash.core.config import FIELD_NAMES
from dpdash.core.errors import N_
from dpdash.core.events import RunStatus
from dpdash.core.translations import HAVE_A_COLUMN
from dpdash.store.query import LONGEST_TEXT, RunOrder, RunPage, RunQuery, Viewer
from dpdash.store.store import RunRecord
from dpdash.ui.parts.button import button
from dpdash.ui.parts.controls import choice, selection, several, text_input, toggle
from dpdash.ui.parts.names import differing
from dpdash.ui.session.inputs import Input
from dpdash.ui.session.language import _, current, number
from dpdash.ui.session.viewer import serves_only_here

T = TypeVar("T", bound=str)
ROWS: Final = 50
"""In a stretch: more are no use to look at, and each takes its time to send."""
FIRST_KEY: Final = "runs_first"
"""The first row of the stretch that is shown, counted from 0."""
ASKED_KEY: Final = "runs_asked"
"""What was searched for when the stretch was chosen."""
UNFOLDED_KEY: Final = "runs_unfolded"
"""Ids of the sweeps whose trials stand one by one."""
COLUMNS: Final[Input[tuple[str, ...]]] = Input("runs_columns", ())


class Whose(StrEnum):
    """Of whom the list has runs."""

    MINE = "mine"
    ALL = "all"


TAGS: Final[Input[tuple[str, ...]]] = Input("runs_tags", ())
ORDER_NAMES: Final = {
    RunOrder.WHEN: N_("Started"),
    RunOrder.NAME: N_("Name"),
    RunOrder.STATUS: N_("Status"),
    RunOrder.LOSS: N_("Loss"),
    RunOrder.BEST_LOSS: N_("Best loss"),
    RunOrder.ABOVE_FLOOR: N_("Above the floor, %"),
    RunOrder.SLOPE_ERROR: N_("Slope error"),
    RunOrder.SPEED: N_("Epochs/s"),
    RunOrder.EPOCHS: N_("Epochs"),
}


def choose_whose(who: Viewer) -> Viewer:
    """Show the choice of whose runs are listed, where everybody's can be; the viewer who has those.

    Where a room is served one's own come first. On one's own machine all are one's own, whatever browser or
    command line started them.
    """
    if not who.sees_all:
        return who
    names = {Whose.MINE: _("Mine"), Whose.ALL: _("All")}
    usual = Whose.ALL if serves_only_here() else Whose.MINE
    chosen = choice(Input("runs_whose", usual), _("Whose runs"), names, label_visibility="collapsed")
    return replace(who, sees_all=chosen is Whose.ALL)


def show_filters(viewer: Viewer, tags: tuple[str, ...]) -> RunQuery:
    """Show what the list can be filtered and sorted by; what is asked for now."""
    text = text_input(
        Input("runs_text", ""),
        _("Search"),
        LONGEST_TEXT,
        help=_(
            "Words in the name that was given, in the note, the tags, the id, the engine or the optimizer, or "
            "settings such as learning_rate>0.01 and noise=0.5. All of them have to fit."
        ),
    )
    # Folded: on a phone they would take all of the first screen.
    with (
        st.expander(_("Filter and sort")),
        st.container(horizontal=True, vertical_alignment="bottom", key="runs_filters"),
    ):
        statuses = {status: current().name(status) for status in RunStatus}
        chosen_statuses = _some(Input("runs_statuses", ()), _("Status"), statuses)
        # One that is asked for stays among the options when no run has it any more.
        chosen_tags = _some(TAGS, _("Tags"), {tag: tag for tag in sorted({*tags, *TAGS.get()})})
        orders = {order: _(name) for order, name in ORDER_NAMES.items()}
        order = selection(Input("runs_order", RunOrder.WHEN), _("Sort by"), orders)
        is_descending = toggle(Input("runs_descending", True), _("Descending"))
        is_deleted = toggle(
            Input("runs_deleted", False),
            _("Deleted"),
            help=_("Show the runs that were deleted. They can be restored for a day."),
        )
        columns = {name: current().title(name) for name in FIELD_NAMES if name not in HAVE_A_COLUMN}
        several(COLUMNS, _("Settings in columns"), columns, placeholder=_("those that differ"))
    asked = (viewer, text, chosen_statuses, chosen_tags, order, is_descending, is_deleted)
    if st.session_state.get(ASKED_KEY) != asked:
        st.session_state[ASKED_KEY], st.session_state[FIRST_KEY] = asked, 0
    return RunQuery(
        viewer,
        text=text,
        statuses=chosen_statuses,
        tags=chosen_tags,
        is_deleted=is_deleted,
        order=order,
        is_descending=is_descending,
        unfolded=unfolded(),
        offset=max(0, int(st.session_state[FIRST_KEY])),
        limit=ROWS,
    )


def show_stretches(query: RunQuery, page: RunPage) -> None:
    """Show which rows of how many these are, and turn to the next or the last ones."""
    first, last = query.offset + 1, query.offset + len(page.rows)
    with st.container(horizontal=True, vertical_alignment="center", key="runs_stretches"):
        text = _("{first} to {last} of {found} runs")
        if page.folds:
            text = _("{first} to {last} of {found}, each sweep's runs in one row")
        st.markdown(text.format(first=number(first), last=number(last), found=number(page.num_found)))
        if page.num_found <= ROWS:
            return
        _turn(_("Back"), "back", "chevron_left", query.offset - ROWS, disabled=query.offset == 0)
        _turn(_("Further"), "further", "chevron_right", query.offset + ROWS, disabled=last >= page.num_found)


def columns_of(rows: Sequence[RunRecord]) -> tuple[str, ...]:
    """The settings that have columns: those that were chosen, else those in which the runs differ."""
    return COLUMNS.get() or tuple(name for name in differing(rows) if name not in HAVE_A_COLUMN)


def unfolded() -> tuple[str, ...]:
    """The sweeps whose trials are rows of their own."""
    ids: tuple[str, ...] = st.session_state.get(UNFOLDED_KEY, ())
    return ids


def begin_anew() -> None:
    """Show the first stretch again: the one that was shown is no longer there."""
    st.session_state[FIRST_KEY] = 0


def _turn(label: str, name: str, icon: str, first: int, *, disabled: bool) -> None:
    def turn() -> None:
        st.session_state[FIRST_KEY] = max(0, first)

    button(label, f"runs_{name}", icon, turn, disabled=disabled)


def _some(owner: Input[tuple[T, ...]], label: str, names: Mapping[T, str]) -> tuple[T, ...]:
    """Some of several options, none of which stands for all of them."""
    return several(owner, label, names, placeholder=_("any"), disabled=not names)
