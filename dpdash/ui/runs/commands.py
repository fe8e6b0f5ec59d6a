"""What can be done with runs that are kept: callbacks like those in `commands`, as harmless when given twice."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_, DpdashError
from dpdash.core.places import PAGES
from dpdash.store.query import RunLabel
from dpdash.ui.runs.filters import UNFOLDED_KEY, unfolded
from dpdash.ui.runs.table import select_anew
from dpdash.ui.session.command import command
from dpdash.ui.session.inputs import SWEEP
from dpdash.ui.session.state import put_settings, show_run
from dpdash.ui.session.viewer import viewer
from dpdash.ui.train.commands import chosen_pace
from dpdash.web.process import owner, run_service

TRAIN_PAGE: Final = PAGES / "train.py"
CHOSEN_KEY: Final = "runs_chosen"
"""Ids of the runs that are chosen, in the order in which they were."""
DELETED_KEY: Final = "runs_deleted_last"
"""Ids of the runs that were deleted last, which can be put back."""
TURN_KEY: Final = "runs_turn_to"
"""The page that a command has asked for; a callback cannot turn to it."""


def chosen_ids() -> tuple[str, ...]:
    """The runs that are chosen."""
    ids: tuple[str, ...] = st.session_state.get(CHOSEN_KEY, ())
    return ids


def turn_where_asked() -> None:
    """Turn to the page that a command has asked for."""
    page = st.session_state.pop(TURN_KEY, None)
    if page is not None:
        st.switch_page(PAGES / page)


@command
def open_run(run_id: str, config: RunConfig) -> None:
    """Show a run on the Train page, with its settings in the sidebar."""
    _turn_to(run_id, config)


@command
def branch(config: RunConfig) -> None:
    """Open a run's settings on the Train page, to be changed and started."""
    _turn_to(None, config)


@command
def repeat(config: RunConfig) -> None:
    """Start a run with the same settings and seed, and show it."""
    _turn_to(run_service().start(config, owner(), chosen_pace()), config)


@command
def label(run_id: str, keys: tuple[str, str, str]) -> None:
    """Keep name, note and tags as they stand in the fields with these keys."""
    name, note, tags = (_text(st.session_state.get(key)) for key in keys)
    run_service().library.label(run_id, viewer(), RunLabel.parse(name, note, tags))


@command
def pin(run_ids: Sequence[str], is_pinned: bool) -> None:
    """Keep runs whatever else is let go of, or no longer."""
    run_service().library.pin(run_ids, viewer(), is_pinned)


@command
def delete(run_ids: Sequence[str]) -> None:
    """Take runs out of the list; those that are not over stay, and that is said."""
    library, who = run_service().library, viewer()
    num_left = sum(not record.status.is_over for record in library.records(run_ids, who))
    gone = library.delete(run_ids, who)
    if gone:
        _forget_chosen(gone)
    if num_left:
        raise DpdashError(
            N_("Runs that still train cannot be deleted. Left in the list: {number}. Stop them first."),
            number=num_left,
        )


@command
def restore(run_ids: Sequence[str]) -> None:
    """Put deleted runs back into the list."""
    run_service().library.restore(run_ids, viewer())
    _forget_deleted(run_ids)


@command
def dismiss_deleted() -> None:
    """Say no more of what was deleted last."""
    st.session_state[DELETED_KEY] = ()


@command
def unfold(sweep_ids: Sequence[str]) -> None:
    """List the trials of sweeps one by one, with none of them chosen."""
    st.session_state[UNFOLDED_KEY] = (*unfolded(), *sweep_ids)
    _choose(())


@command
def fold() -> None:
    """List the trials of each sweep as one row again."""
    st.session_state[UNFOLDED_KEY] = ()
    select_anew()


@command
def open_sweep(sweep_id: str) -> None:
    """Show a sweep on its page."""
    SWEEP.put(sweep_id)
    st.session_state[TURN_KEY] = "sweep.py"


@command
def choose_none() -> None:
    """Choose no run any more."""
    _choose(())


def _turn_to(run_id: str | None, config: RunConfig) -> None:
    put_settings(run_service().limits.narrowed(config))
    show_run(run_id)
    st.session_state[TURN_KEY] = "train.py"


def _forget_chosen(gone: Sequence[str]) -> None:
    st.session_state[DELETED_KEY] = tuple(gone)
    _choose(tuple(run_id for run_id in chosen_ids() if run_id not in gone))


def _forget_deleted(run_ids: Sequence[str]) -> None:
    left = tuple(run_id for run_id in st.session_state.get(DELETED_KEY, ()) if run_id not in run_ids)
    st.session_state[DELETED_KEY] = left
    _choose(tuple(run_id for run_id in chosen_ids() if run_id not in run_ids))


def _choose(run_ids: tuple[str, ...]) -> None:
    st.session_state[CHOSEN_KEY] = run_ids
    select_anew()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
