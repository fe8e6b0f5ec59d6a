"""What the controls do: each is an `on_click` or `on_change` callback, which no rerun can swallow.

Every command may be given twice without harm. What goes wrong is kept and shown by `show_problems`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import streamlit as st

from dpdash.errors import DpdashError
from dpdash.runs.service import Pace, RunSnapshot
from dpdash.ui.service import owner, run_service
from dpdash.ui.state import (
    RUN_KEY,
    apply_changes,
    put_settings,
    show_run,
    wanted_settings,
)

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


def chosen_pace() -> Pace:
    """The pace that the transport bar shows."""
    return PACES[st.session_state.get(PACE_KEY) or PaceName.USUAL]


def start(shown: RunSnapshot | None, paused: bool = False) -> None:
    """Start a run with the settings as they stand, in place of one's own that is still live."""

    def command() -> None:
        config, pace = wanted_settings(), chosen_pace()
        if shown is not None and shown.owner == owner():
            run_id = run_service().restart(shown.run_id, config, owner(), pace, paused=paused)
        else:
            run_id = run_service().start(config, owner(), pace, paused=paused)
        show_run(run_id)

    _attempt(command)


def pause(run_id: str) -> None:
    """Let a run stand still before its next epoch."""
    _steer(run_id, run_service().pause)


def resume(run_id: str) -> None:
    """Let a paused run go on, and follow its newest epoch again."""
    show_run(run_id)
    _steer(run_id, run_service().resume)


def one_epoch(mine: RunSnapshot | None) -> None:
    """Train exactly one more epoch and stand still; without a live run, the first epoch of a new one."""
    live = mine is not None and not mine.status.is_over
    if not live:
        start(mine, paused=True)
    run_id = st.session_state[RUN_KEY]
    if run_id is None:
        return

    show_run(run_id)
    pause(run_id)
    _steer(run_id, run_service().step)


def stop(run_id: str) -> None:
    """End a run before its next epoch."""
    _steer(run_id, run_service().stop)


def reset(shown: RunSnapshot) -> None:
    """Go back to the preview; one's own run is stopped and stays stored."""
    if shown.owner == owner():
        _attempt(lambda: run_service().reset(shown.run_id, owner()))
    show_run(None)


def change_pace(shown: RunSnapshot | None) -> None:
    """Give the run that is shown the pace just chosen, if it is one's own and live."""
    if shown is not None and shown.owner == owner() and not shown.status.is_over:
        _attempt(lambda: run_service().set_pace(shown.run_id, owner(), chosen_pace()))


def change_learning_rate(shown: RunSnapshot | None) -> None:
    """Let the run that is shown go on with the learning rate just chosen, if it is one's own and live."""
    if shown is not None and shown.owner == owner() and not shown.status.is_over:
        value = st.session_state["learning_rate"]
        _attempt(lambda: run_service().set_learning_rate(shown.run_id, owner(), value))


def take_suggestion(changes: Mapping[str, Any], shown: RunSnapshot) -> None:
    """Try one change to the settings of the run that is shown.

    A learning rate reaches one's own live run at once; other changes wait for its end. When the run is over, or
    another browser's, the change starts a new run.
    """
    put_settings(shown.config)
    apply_changes(changes)
    if shown.status.is_over or shown.owner != owner():
        start(shown)
    elif "learning_rate" in changes:
        change_learning_rate(shown)


def take_problem() -> DpdashError | None:
    """What the last command could not do, once."""
    problem: DpdashError | None = st.session_state.pop(PROBLEM_KEY, None)
    return problem


def _steer(run_id: str, command: Callable[[str, str], None]) -> None:
    _attempt(lambda: command(run_id, owner()))


def _attempt(command: Callable[[], object]) -> None:
    try:
        command()
    except DpdashError as error:
        st.session_state[PROBLEM_KEY] = error
