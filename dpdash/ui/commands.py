"""What the controls do: each is an `on_click` or `on_change` callback, which no rerun can swallow.

Every command may be given twice without harm. What goes wrong is kept and shown by `show_problems`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dpdash.errors import DpdashError
from dpdash.runs.service import Pace, RunSnapshot
from dpdash.ui.service import open_pages, owner, run_service
from dpdash.ui.shown import is_in_spotlight, is_mine
from dpdash.ui.state import (
    RUN_KEY,
    apply_changes,
    put_settings,
    show_run,
    wanted_settings,
)
from dpdash.ui.teacher import PASSPHRASE_KEY, is_teacher, show_passphrase
from dpdash.ui.uncut import Through, uncut

PROBLEM_KEY: Final = "command_problem"
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


def once(command: Callable[[], None]) -> Callable[[], None]:
    """The command of a button that stands outside the live area, given once for each click.

    When the live area's timer goes off between a click and its sending, the browser sends the click along with the
    refresh of the live area, and then again by itself: a run would be paused and go on at once.
    """

    def given() -> None:
        running = get_script_run_ctx()
        if running is None or not running.fragment_ids_this_run:
            command()

    return given


def chosen_pace() -> Pace:
    """The pace that the transport bar shows."""
    return PACES[st.session_state.get(PACE_KEY) or PaceName.USUAL]


def start(shown: RunSnapshot | None, paused: bool = False) -> None:
    """Start a run with the settings as they stand, in place of one's own that is still live."""
    with uncut() as through:
        _attempt(lambda: _start(shown, paused, through), through)


def _start(shown: RunSnapshot | None, paused: bool, through: Through) -> None:
    config, pace = through(wanted_settings), through(chosen_pace)
    if shown is not None and shown.owner == owner():
        run_id = run_service().restart(shown.run_id, config, owner(), pace, paused=paused)
    else:
        run_id = run_service().start(config, owner(), pace, paused=paused)
    through(lambda: show_run(run_id))
    if is_in_spotlight(shown) and is_mine(shown):
        # Everybody follows whom the teacher shows, from run to run.
        run_service().put_in_spotlight(run_id)


def pause(run_id: str) -> None:
    """Let a run stand still before its next epoch."""
    with uncut() as through:
        _steer(run_id, run_service().pause, through)


def resume(run_id: str) -> None:
    """Let a paused run go on, and follow its newest epoch again."""
    with uncut() as through:
        through(lambda: show_run(run_id))
        _steer(run_id, run_service().resume, through)


def one_epoch(mine: RunSnapshot | None) -> None:
    """Train exactly one more epoch and stand still; without a live run, the first epoch of a new one."""
    live = mine is not None and not mine.status.is_over
    with uncut() as through:
        if not live:
            _attempt(lambda: _start(mine, True, through), through)
        run_id = through(lambda: st.session_state[RUN_KEY])
        if run_id is None:
            return

        through(lambda: show_run(run_id))
        _steer(run_id, run_service().pause, through)
        _steer(run_id, run_service().step, through)


def stop(run_id: str) -> None:
    """End a run before its next epoch."""
    with uncut() as through:
        _steer(run_id, run_service().stop, through)


def reset(shown: RunSnapshot) -> None:
    """Go back to the preview; one's own run is stopped and stays stored."""
    with uncut() as through:
        if shown.owner == owner():
            _attempt(lambda: run_service().reset(shown.run_id, owner()), through)
        through(lambda: show_run(None))


def change_pace(shown: RunSnapshot | None) -> None:
    """Give the run that is shown the pace just chosen, if it is one's own and live."""
    if shown is not None and shown.owner == owner() and not shown.status.is_over:
        with uncut() as through:
            pace = through(chosen_pace)
            _attempt(lambda: run_service().set_pace(shown.run_id, owner(), pace), through)


def change_learning_rate(shown: RunSnapshot | None) -> None:
    """Let the run that is shown go on with the learning rate just chosen, if it is one's own and live."""
    if shown is not None and shown.owner == owner() and not shown.status.is_over:
        with uncut() as through:
            value = through(lambda: st.session_state["learning_rate"])
            _attempt(lambda: run_service().set_learning_rate(shown.run_id, owner(), value), through)


def take_suggestion(changes: Mapping[str, Any], shown: RunSnapshot) -> None:
    """Try one change to the settings of the run that is shown.

    A learning rate reaches one's own live run at once; other changes wait for its end. When the run is over, or
    another browser's, the change starts a new run.
    """
    with uncut() as through:
        through(lambda: put_settings(run_service().limits.narrowed(shown.config)))
        through(lambda: apply_changes(changes))
        _act_on_suggestion(changes, shown)


def _act_on_suggestion(changes: Mapping[str, Any], shown: RunSnapshot) -> None:
    if shown.status.is_over or shown.owner != owner():
        start(shown)
    elif "learning_rate" in changes:
        change_learning_rate(shown)


def enter_room() -> None:
    """Show the passphrase that was typed."""
    with uncut() as through:
        typed = through(lambda: st.session_state.get(PASSPHRASE_KEY, ""))
        _attempt(lambda: show_passphrase(typed), through)


def freeze(frozen: bool) -> None:
    """Let no new runs start, or let them start again."""
    _as_teacher(lambda: run_service().freeze(frozen))


def stop_all() -> None:
    """End everybody's runs before their next epoch."""

    def command() -> None:
        run_service().stop_all()
        open_pages().redraw_all()

    _as_teacher(command)


def clear() -> None:
    """End everybody's runs and the spotlight, and let every page go back to the preview."""
    _as_teacher(lambda: run_service().clear())


def put_in_spotlight(run_id: str | None) -> None:
    """Show a run on everybody's page, or let everybody see their own again."""
    _as_teacher(lambda: run_service().put_in_spotlight(run_id))


def take_problem() -> DpdashError | None:
    """What the last command could not do, once."""
    problem: DpdashError | None = st.session_state.pop(PROBLEM_KEY, None)
    return problem


def _steer(run_id: str, command: Callable[[str, str], None], through: Through) -> None:
    def steer() -> None:
        command(run_id, owner())
        _redraw_watchers(run_id)

    _attempt(steer, through)


def _redraw_watchers(run_id: str) -> None:
    """Other pages that show a run which stood still have no timer to see with that it no longer does."""
    is_everywhere = run_service().spotlight == run_id
    open_pages().redraw_others(None if is_everywhere else run_id)


def _as_teacher(command: Callable[[], object]) -> None:
    """Do what only a teacher may, whatever sent the session here."""
    if is_teacher():
        with uncut() as through:
            _attempt(command, through)


def _attempt(command: Callable[[], object], through: Through) -> None:
    try:
        command()
    except DpdashError as error:
        problem = error  # the name `error` ends with its clause
        through(lambda: st.session_state.__setitem__(PROBLEM_KEY, problem))
