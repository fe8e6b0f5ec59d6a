"""What can be done with runs that are kept: callbacks like those in `commands`, as harmless when given twice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_, DpdashError
from dpdash.store.query import RunLabel
from dpdash.ui.runs.table import select_anew
from dpdash.ui.session.command import Asked, asking
from dpdash.ui.session.state import put_settings, show_run
from dpdash.ui.session.viewer import viewer
from dpdash.ui.train.commands import chosen_pace
from dpdash.web.process import run_service

TRAIN_PAGE: Final = Path(__file__).resolve().parents[3] / "pages" / "train.py"
CHOSEN_KEY: Final = "runs_chosen"
"""Ids of the runs that are chosen, in the order in which they were."""
DELETED_KEY: Final = "runs_deleted_last"
"""Ids of the runs that were deleted last, which can be put back."""
TURN_KEY: Final = "runs_turn_to_train"


def chosen_ids() -> tuple[str, ...]:
    """The runs that are chosen."""
    ids: tuple[str, ...] = st.session_state.get(CHOSEN_KEY, ())
    return ids


def turn_where_asked() -> None:
    """Turn to the Train page when a command has asked for it; a callback cannot."""
    if st.session_state.get(TURN_KEY):
        st.session_state[TURN_KEY] = False
        st.switch_page(TRAIN_PAGE)


def open_run(run_id: str, config: RunConfig) -> None:
    """Show a run on the Train page, with its settings in the sidebar."""
    with asking() as asked:
        _put(asked, config)
        asked.through(lambda: show_run(run_id))
        _turn(asked)


def branch(config: RunConfig) -> None:
    """Open a run's settings on the Train page, to be changed and started."""
    with asking() as asked:
        _put(asked, config)
        asked.through(lambda: show_run(None))
        _turn(asked)


def repeat(config: RunConfig) -> None:
    """Start a run with the same settings and seed, and show it."""
    with asking() as asked:

        def start() -> None:
            new_id = run_service().start(config, asked.owner, asked.through(chosen_pace))
            _put(asked, config)
            asked.through(lambda: show_run(new_id))
            _turn(asked)

        asked.attempt(start)


def label(run_id: str, keys: tuple[str, str, str]) -> None:
    """Keep name, note and tags as they stand in the fields with these keys."""
    with asking() as asked:
        name, note, tags = asked.through(lambda: [st.session_state.get(key) for key in keys])
        who = asked.through(viewer)

        def keep() -> None:
            run_service().library.label(run_id, who, RunLabel.parse(_text(name), _text(note), _text(tags)))

        asked.attempt(keep)


def pin(run_ids: Sequence[str], is_pinned: bool) -> None:
    """Keep runs whatever else is let go of, or no longer."""
    with asking() as asked:
        who = asked.through(viewer)
        asked.attempt(lambda: run_service().library.pin(run_ids, who, is_pinned))


def delete(run_ids: Sequence[str]) -> None:
    """Take runs out of the list; those that are not over stay, and that is said."""
    with asking() as asked:
        who = asked.through(viewer)

        def take_out() -> None:
            kept = run_service().library
            num_left = sum(not record.status.is_over for record in kept.records(run_ids, who))
            gone = kept.delete(run_ids, who)
            if gone:
                asked.through(lambda: _forget_chosen(gone))
            if num_left:
                raise DpdashError(
                    N_("Runs that still train cannot be deleted. Left in the list: {number}. Stop them first."),
                    number=num_left,
                )

        asked.attempt(take_out)


def restore(run_ids: Sequence[str]) -> None:
    """Put deleted runs back into the list."""
    with asking() as asked:
        who = asked.through(viewer)
        asked.attempt(lambda: run_service().library.restore(run_ids, who))
        asked.through(lambda: _forget_deleted(run_ids))


def dismiss_deleted() -> None:
    """Say no more of what was deleted last."""
    with asking() as asked:
        asked.through(lambda: st.session_state.__setitem__(DELETED_KEY, ()))


def choose_none() -> None:
    """Choose no run any more."""
    with asking() as asked:
        asked.through(lambda: _choose(()))


def _put(asked: Asked, config: RunConfig) -> None:
    asked.through(lambda: put_settings(run_service().limits.narrowed(config)))


def _turn(asked: Asked) -> None:
    asked.through(lambda: st.session_state.__setitem__(TURN_KEY, True))


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
