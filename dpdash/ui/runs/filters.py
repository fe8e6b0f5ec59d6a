"""What the list of runs is searched for, how it is sorted, and which stretch of it is shown."""

from enum import StrEnum
from typing import Any, Final, TypeVar

import streamlit as st

from dpdash.core.errors import N_
from dpdash.core.events import RunStatus
from dpdash.store.query import LONGEST_TEXT, RunOrder, RunPage, RunQuery, Viewer
from dpdash.ui.parts.button import button
from dpdash.ui.session.language import _, current, number

T = TypeVar("T", bound=StrEnum)
ROWS: Final = 50
"""In a stretch: more are no use to look at, and each takes its time to send."""
FIRST_KEY: Final = "runs_first"
"""The first row of the stretch that is shown, counted from 0."""
ASKED_KEY: Final = "runs_asked"
"""What was searched for when the stretch was chosen."""
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


def show_filters(viewer: Viewer, tags: tuple[str, ...]) -> RunQuery:
    """Show what the list can be filtered and sorted by; what is asked for now."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="runs_filters"):
        text = st.text_input(
            _("Search"),
            key="runs_text",
            persist_state="session",
            max_chars=LONGEST_TEXT,
            help=_(
                "Words in the name that was given, in the note, the tags, the id, the engine or the optimizer, or "
                "settings such as learning_rate>0.01 and noise=0.5. All of them have to fit."
            ),
        )
        statuses = {status: current().name(status) for status in RunStatus}
        chosen_statuses = _several("runs_statuses", _("Status"), statuses)
        chosen_tags = _several("runs_tags", _("Tags"), {tag: tag for tag in _with_chosen(tags)})
        orders = {order: _(name) for order, name in ORDER_NAMES.items()}
        order = st.selectbox(
            _("Sort by"), list(orders), key="runs_order", persist_state="session", format_func=orders.__getitem__
        )
        st.session_state.setdefault("runs_descending", True)
        is_descending = st.toggle(_("Descending"), key="runs_descending", persist_state="session")
        is_deleted = st.toggle(
            _("Deleted"),
            key="runs_deleted",
            persist_state="session",
            help=_("Show the runs that were deleted. They can be restored for a day."),
        )
    asked = (text, chosen_statuses, chosen_tags, order, is_descending, is_deleted)
    if st.session_state.get(ASKED_KEY) != asked:
        st.session_state[ASKED_KEY], st.session_state[FIRST_KEY] = asked, 0
    return RunQuery(
        viewer,
        text=text or "",
        statuses=tuple(RunStatus(status) for status in chosen_statuses),
        tags=chosen_tags,
        is_deleted=is_deleted,
        order=order or RunOrder.WHEN,
        is_descending=is_descending,
        offset=max(0, int(st.session_state[FIRST_KEY])),
        limit=ROWS,
    )


def show_stretches(query: RunQuery, page: RunPage) -> None:
    """Show which rows of how many these are, and turn to the next or the last ones."""
    first, last = query.offset + 1, query.offset + len(page.rows)
    with st.container(horizontal=True, vertical_alignment="center", key="runs_stretches"):
        st.markdown(
            _("{first} to {last} of {found} runs").format(
                first=number(first), last=number(last), found=number(page.num_found)
            )
        )
        if page.num_found <= ROWS:
            return
        _turn(_("Back"), "back", "chevron_left", query.offset - ROWS, disabled=query.offset == 0)
        _turn(_("Further"), "further", "chevron_right", query.offset + ROWS, disabled=last >= page.num_found)


def begin_anew() -> None:
    """Show the first stretch again: the one that was shown is no longer there."""
    st.session_state[FIRST_KEY] = 0


def _turn(label: str, name: str, icon: str, first: int, *, disabled: bool) -> None:
    def turn() -> None:
        st.session_state[FIRST_KEY] = max(0, first)

    button(label, f"runs_{name}", icon, turn, disabled=disabled)


def _several(key: str, label: str, names: dict[T, str] | dict[str, str]) -> tuple[Any, ...]:
    """Some of several options, none of which stands for all of them."""
    known: dict[Any, str] = dict(names)
    found = st.multiselect(
        label,
        list(known),
        key=key,
        persist_state="session",
        format_func=known.__getitem__,
        placeholder=_("any"),
        disabled=not known,
    )
    return tuple(found)


def _with_chosen(tags: tuple[str, ...]) -> list[str]:
    """A tag that is asked for stays among the options when no run has it any more."""
    chosen = st.session_state.get("runs_tags") or ()
    return sorted({*tags, *(tag for tag in chosen if isinstance(tag, str))})
