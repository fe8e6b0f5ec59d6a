"""The run that this session shows."""

from typing import Final

import streamlit as st

from dpdash.core.config import RunConfig
from dpdash.core.errors import DpdashError, StoreError, UnknownRunError
from dpdash.core.events import RunStatus
from dpdash.core.learning_rates import in_force
from dpdash.core.own_data import OwnDataError
from dpdash.problem import tables
from dpdash.runs.service import RunSnapshot
from dpdash.ui.session.state import put_settings, show_run, wanted_settings
from dpdash.web.process import owner, run_service
from dpdash.web.streamlit_internals.push import RUN_KEY

MISSING_KEY = "missing_run"
SETTINGS_FROM_KEY = "settings_from_run"
GENERATION_KEY = "generation"
SPOTLIGHT_KEY = "spotlight"
"""The spotlight as this page has last drawn it: a look back belongs to one run."""
SHARED_PART: Final = 0.25
"""Of the time between two refreshes of a page: so much older than need be may a number be."""


def shown_run() -> RunSnapshot | None:
    """The run that this page shows: the one in the spotlight, else the session's own, if there is one."""
    return spotlight_run() or own_run()


def spotlight_run() -> RunSnapshot | None:
    """The run that the teacher shows on every page, or None."""
    run_id = run_service().room.spotlight
    if run_id is None:
        return None
    try:
        return _snapshot(run_id)
    except (UnknownRunError, StoreError, OwnDataError):
        return None  # each page can still show its own


def own_run() -> RunSnapshot | None:
    """The run in the session's address, or None; one that cannot be shown is forgotten and said so."""
    run_id = st.session_state[RUN_KEY]
    if run_id is None:
        return None
    try:
        shown = _snapshot(run_id)
    except (UnknownRunError, StoreError, OwnDataError) as error:
        show_run(None)
        st.session_state[MISSING_KEY] = error
        return None
    return shown


def steered_run() -> RunSnapshot | None:
    """This browser's run that the page shows by now, which the one that was drawn may have given way to."""
    spotlight = spotlight_run()
    shown = spotlight if is_mine(spotlight) else own_run()
    return shown if is_mine(shown) else None


def _snapshot(run_id: str) -> RunSnapshot:
    """The run as every page sees it that looks at about the same time: they share what is worked out for it.

    Raises:
        OwnDataError: when what it was trained on is not there any more, and so nothing of it can be drawn.
    """
    service = run_service()
    found = service.runs.snapshot(run_id, SHARED_PART * service.room.refresh_seconds)
    tables.of(found.config)
    return found


def take_missing_run() -> DpdashError | None:
    """Why the run of the link is not shown, once."""
    missing: DpdashError | None = st.session_state.pop(MISSING_KEY, None)
    return missing


def take_settings_of_linked_run() -> None:
    """When a link names a run, its settings are the sidebar's."""
    if st.session_state.get(SETTINGS_FROM_KEY):
        return
    linked = own_run()
    if linked is not None:
        put_settings(_settings_now(linked))
    # Last: a page's next message may cut this short at each access to the session.
    st.session_state[SETTINGS_FROM_KEY] = True


def leave_lost_data() -> None:
    """Let the next run draw its data where those that were chosen are not there any more, and say so."""
    try:
        tables.of(wanted_settings())
    except OwnDataError as error:
        put_settings(wanted_settings().on_drawn())
        st.session_state[MISSING_KEY] = error


def settings_to_begin_with() -> RunConfig:
    """The settings of the run that is shown, as far as they are allowed here; else those of the next run."""
    shown = shown_run()
    return wanted_settings() if shown is None else _settings_now(shown)


def _settings_now(shown: RunSnapshot) -> RunConfig:
    """A run's settings with the learning rate that it has now, as the address of who moved it says."""
    return run_service().limits.narrowed(in_force(shown.config, shown.history.learning_rate_changes))


def is_mine(shown: RunSnapshot | None) -> bool:
    """Whether this browser started the run."""
    return shown is not None and shown.owner == owner()


def is_in_spotlight(shown: RunSnapshot | None) -> bool:
    """Whether the teacher shows this run on every page."""
    return shown is not None and shown.run_id == run_service().room.spotlight


def is_shown_by_teacher(shown: RunSnapshot | None) -> bool:
    """Whether the page shows a run that this browser has not chosen, and so must not act on."""
    return is_in_spotlight(shown) and not is_mine(shown)


def epochs_per_second(shown: RunSnapshot) -> float | None:
    """How fast a run's epochs go by, paced or as fast as they can; None while they do not, or nobody knows.

    Nobody here knows the pace of a run that another process trains.
    """
    speed = shown.history.epochs_per_second
    if shown.status is not RunStatus.RUNNING or speed is None or shown.pace is None:
        return None
    wanted = shown.pace.epochs_per_second(shown.config)
    return speed if wanted is None else min(speed, wanted)


def follow_room() -> None:
    """Do what the teacher has asked of every page since this one was drawn."""
    generation, spotlight = run_service().room.generation, run_service().room.spotlight
    if st.session_state.setdefault(GENERATION_KEY, generation) != generation:
        show_run(None)
        st.session_state[GENERATION_KEY] = generation
    if st.session_state.get(SPOTLIGHT_KEY) != spotlight:
        show_run(st.session_state[RUN_KEY])
        st.session_state[SPOTLIGHT_KEY] = spotlight
