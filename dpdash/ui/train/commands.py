"""What the controls do: each is an `on_click` or `on_change` callback, which no rerun can swallow.

Every command may be given twice without harm. What goes wrong is kept and shown by `show_problems`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import streamlit as st

from dpdash.core.errors import DpdashError
from dpdash.core.study import StudyPlan
from dpdash.core.sweep import SweepPlan
from dpdash.runs.service import Pace, RunSnapshot
from dpdash.ui.session.command import PROBLEM_KEY, Asked, asking
from dpdash.ui.session.shown_run import is_in_spotlight
from dpdash.ui.session.state import (
    apply_changes,
    put_settings,
    show_run,
    wanted_settings,
)
from dpdash.web.process import run_service
from dpdash.web.streamlit_internals.push import RUN_KEY
from dpdash.web.studies import STUDY_KEY, scaling_service
from dpdash.web.sweeps import OPEN_KEY, SWEEP_KEY, sweep_service
from dpdash.web.teacher import PASSPHRASE_KEY, is_teacher, show_passphrase

PACE_KEY: Final = "pace"
USUAL_SECONDS: Final = 8.0
SLOW_EPOCHS_PER_SECOND: Final = 2.0


class PaceName(StrEnum):
    """The paces that are one click away."""

    SLOW = "slow"
    USUAL = "usual"
    MAX = "max"


PACES: Final[Mapping[PaceName, Pace]] = {
    PaceName.SLOW: Pace.rate(SLOW_EPOCHS_PER_SECOND),
    PaceName.USUAL: Pace.lasting(USUAL_SECONDS),
    PaceName.MAX: Pace.full_speed(),
}


def chosen_pace() -> Pace:
    """The pace that the transport bar shows."""
    return PACES[st.session_state.get(PACE_KEY) or PaceName.USUAL]


def start(shown: RunSnapshot | None) -> None:
    """Start a run with the settings as they stand, in place of one's own that is still live."""
    with asking() as asked:
        _start(asked, shown)


def pause(run_id: str) -> None:
    """Let a run stand still before its next epoch."""
    with asking() as asked:
        asked.attempt(lambda: run_service().pause(run_id, asked.owner))


def resume(run_id: str) -> None:
    """Let a paused run go on, and follow its newest epoch again."""
    with asking() as asked:
        asked.through(lambda: show_run(run_id))
        asked.attempt(lambda: run_service().resume(run_id, asked.owner))


def resume_ended(ended: RunSnapshot) -> None:
    """Train a run further that was stopped or interrupted, to the epochs of the sidebar if these are more."""
    with asking() as asked:
        pace = asked.through(chosen_pace)
        epochs = max(ended.config.epochs, asked.through(wanted_settings).epochs)
        asked.through(lambda: show_run(ended.run_id))
        asked.attempt(lambda: run_service().resume_ended(ended.run_id, asked.owner, pace, epochs))


def one_epoch(mine: RunSnapshot | None) -> None:
    """Train exactly one more epoch and stand still; without a live run, the first epoch of a new one."""
    live = mine is not None and mine.is_live
    with asking() as asked:
        if not live:
            _start(asked, mine, paused=True)
        run_id = asked.through(lambda: st.session_state[RUN_KEY])
        if run_id is None:
            return

        asked.through(lambda: show_run(run_id))
        asked.attempt(lambda: run_service().pause(run_id, asked.owner))
        asked.attempt(lambda: run_service().step(run_id, asked.owner))


def stop(run_id: str) -> None:
    """End a run before its next epoch."""
    with asking() as asked:
        asked.attempt(lambda: run_service().stop(run_id, asked.owner))


def trace_step(run_id: str) -> None:
    """Take a run's next step apart; the run goes on, or stands on, as if nobody had asked."""
    with asking() as asked:
        asked.attempt(lambda: run_service().trace_step(run_id, asked.owner))


def reset(shown: RunSnapshot) -> None:
    """Go back to the preview; one's own run is stopped and stays stored."""
    with asking() as asked:
        if asked.owns(shown):
            asked.attempt(lambda: run_service().reset(shown.run_id, asked.owner))
        asked.through(lambda: show_run(None))


def change_pace(shown: RunSnapshot | None) -> None:
    """Give the run that is shown the pace just chosen, if it is one's own and live."""
    with asking() as asked:
        if shown is not None and asked.owns(shown) and shown.is_live:
            pace = asked.through(chosen_pace)
            asked.attempt(lambda: run_service().set_pace(shown.run_id, asked.owner, pace))


def change_learning_rate(shown: RunSnapshot | None) -> None:
    """Let the run that is shown go on with the learning rate just chosen, if it is one's own and live."""
    with asking() as asked:
        _change_learning_rate(asked, shown)


def take_suggestion(changes: Mapping[str, Any], shown: RunSnapshot) -> None:
    """Try one change to the settings of the run that is shown.

    A learning rate reaches one's own live run at once; other changes wait for its end. When the run is over, or
    another browser's, the change starts a new run.
    """
    with asking() as asked:
        asked.through(lambda: put_settings(run_service().limits.narrowed(shown.config)))
        asked.through(lambda: apply_changes(changes))
        if not shown.is_live or not asked.owns(shown):
            _start(asked, shown)
        elif "learning_rate" in changes:
            _change_learning_rate(asked, shown)


def enter_room() -> None:
    """Show the passphrase that was typed."""
    with asking() as asked:
        typed = asked.through(lambda: st.session_state.get(PASSPHRASE_KEY, ""))
        asked.attempt(lambda: show_passphrase(typed, asked.owner))


def freeze(frozen: bool) -> None:
    """Let no new runs start, or let them start again."""
    _as_teacher(lambda: run_service().room.freeze(frozen))


def stop_all() -> None:
    """End everybody's runs before their next epoch, and what is searched or measured."""

    def command() -> None:
        _stop_searches()
        run_service().room.stop_all()

    _as_teacher(command)


def clear() -> None:
    """End everybody's runs, studies, sweeps and the spotlight, and let every page go back to the preview."""

    def command() -> None:
        _stop_searches()
        run_service().room.clear()

    _as_teacher(command)


def put_in_spotlight(run_id: str | None) -> None:
    """Show a run on everybody's page, or let everybody see their own again."""
    _as_teacher(lambda: run_service().room.put_in_spotlight(run_id))


def start_study(wanted: Callable[[], StudyPlan]) -> None:
    """Measure what the controls ask for, and show that study."""
    with asking() as asked:

        def start() -> None:
            study_id = scaling_service().start(asked.through(wanted), asked.owner)
            asked.through(lambda: st.session_state.__setitem__(STUDY_KEY, study_id))

        asked.attempt(start)


def cancel_study() -> None:
    """Measure nothing more; what is measured stays."""
    with asking() as asked:
        asked.attempt(lambda: scaling_service().cancel(asked.owner))


def start_sweep(wanted: Callable[[], SweepPlan]) -> None:
    """Search what the controls ask for, and show that sweep."""
    with asking() as asked:

        def start() -> None:
            sweep_id = sweep_service().start(asked.through(wanted), asked.owner)
            asked.through(lambda: st.session_state.__setitem__(SWEEP_KEY, sweep_id))

        asked.attempt(start)


def stop_sweep(sweep_id: str) -> None:
    """Start no further trial of a sweep and end those that train; what was found stays."""
    with asking() as asked:
        asked.attempt(lambda: sweep_service().stop(sweep_id, asked.owner))


def open_trial(sweep_id: str, wanted: Callable[[], str | None]) -> None:
    """Show a trial of a sweep on the Train page, with its settings in the sidebar; nothing where it has no run."""
    with asking() as asked:
        run_id = asked.through(wanted)
        found = sweep_service().snapshot(sweep_id)
        if run_id is None or found is None or found.sweep.of_run(run_id) is None:
            return

        def show() -> None:
            config = run_service().runs.snapshot(run_id).config
            asked.through(lambda: put_settings(run_service().limits.narrowed(config)))
            asked.through(lambda: show_run(run_id))
            asked.through(lambda: st.session_state.__setitem__(OPEN_KEY, True))

        asked.attempt(show)


def take_problem() -> DpdashError | None:
    """What the last command could not do, once."""
    problem: DpdashError | None = st.session_state.pop(PROBLEM_KEY, None)
    return problem


def _start(asked: Asked, shown: RunSnapshot | None, *, paused: bool = False) -> None:
    def start() -> None:
        config, pace = asked.through(wanted_settings), asked.through(chosen_pace)
        is_own = shown is not None and asked.owns(shown)
        if shown is not None and is_own:
            run_id = run_service().restart(shown.run_id, config, asked.owner, pace, paused=paused)
        else:
            run_id = run_service().start(config, asked.owner, pace, paused=paused)
        asked.through(lambda: show_run(run_id))
        if is_own and is_in_spotlight(shown):
            # Everybody follows whom the teacher shows, from run to run.
            run_service().room.put_in_spotlight(run_id)

    asked.attempt(start)


def _change_learning_rate(asked: Asked, shown: RunSnapshot | None) -> None:
    if shown is not None and asked.owns(shown) and shown.is_live:
        value = asked.through(lambda: st.session_state["learning_rate"])
        asked.attempt(lambda: run_service().set_learning_rate(shown.run_id, asked.owner, value))


def _stop_searches() -> None:
    """What starts run after run, before the runs themselves are ended."""
    sweep_service().stop_all()
    scaling_service().stop_all()


def _as_teacher(command: Callable[[], object]) -> None:
    """Do what only a teacher may, whatever sent the session here."""
    with asking() as asked:
        if is_teacher(asked.owner):
            asked.attempt(command)
