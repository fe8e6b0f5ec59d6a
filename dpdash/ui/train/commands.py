"""What the controls do: each is an `on_click` or `on_change` callback, which no rerun can swallow.

Every command may be given twice without harm. Each is for the run that the session shows by then: of keys pressed
without a pause, the second one comes from a page that has not drawn yet what the first one did. What goes wrong is
kept and shown by `show_problems`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import streamlit as st

from dpdash.core.config import RunConfig
from dpdash.core.errors import DpdashError
from dpdash.core.scales import scale
from dpdash.core.scaling.exchange_study import ExchangePlan
from dpdash.core.scaling.plan import StudyPlan
from dpdash.core.sweep import SweepPlan
from dpdash.runs.service import Pace
from dpdash.ui.session.batch_scope import keep_rate_base, rule_rate
from dpdash.ui.session.command import PROBLEM_KEY, command, teachers_command
from dpdash.ui.session.inputs import EXCHANGE, STUDY, SWEEP, Input
from dpdash.ui.session.shown_run import is_in_spotlight, steered_run
from dpdash.ui.session.state import (
    OPEN_KEY,
    change_settings,
    forget_problems,
    put_settings,
    show_run,
    wanted_settings,
)
from dpdash.web.process import owner, run_service, scaling_service, sweep_service
from dpdash.web.streamlit_internals.push import RUN_KEY
from dpdash.web.teacher import PASSPHRASE_KEY, show_passphrase

USUAL_SECONDS: Final = 8.0
SLOW_EPOCHS_PER_SECOND: Final = 2.0


class PaceName(StrEnum):
    """The paces that are one click away."""

    SLOW = "slow"
    USUAL = "usual"
    MAX = "max"


PACE: Final = Input("pace", PaceName.USUAL)
PACES: Final[Mapping[PaceName, Pace]] = {
    PaceName.SLOW: Pace.rate(SLOW_EPOCHS_PER_SECOND),
    PaceName.USUAL: Pace.lasting(USUAL_SECONDS),
    PaceName.MAX: Pace.full_speed(),
}


def chosen_pace() -> Pace:
    """The pace that the transport bar shows."""
    return PACES[PACE.get()]


@command
def start() -> None:
    """Start a run with the settings as they stand, in place of one's own that is still live."""
    _start()


@command
def start_nearest(config: RunConfig) -> None:
    """Start a run with the engine and the replicas of these settings, which this machine has."""
    change_settings({"engine": config.engine, "replicas": config.replicas})
    _start()


@command
def pause() -> None:
    """Let the run stand still before its next epoch."""
    mine = steered_run()
    if mine is not None:
        run_service().pause(mine.run_id, owner())


@command
def resume() -> None:
    """Let the paused run go on, and follow its newest epoch again."""
    mine = steered_run()
    if mine is not None:
        show_run(mine.run_id)
        run_service().resume(mine.run_id, owner())


@command
def resume_ended() -> None:
    """Train the run further that was stopped or interrupted, to the epochs of the sidebar if these are more."""
    mine = steered_run()
    if mine is not None:
        show_run(mine.run_id)
        epochs = max(mine.config.epochs, wanted_settings().epochs)
        run_service().resume_ended(mine.run_id, owner(), chosen_pace(), epochs)


@command
def train_on(epochs: int) -> None:
    """Train the run further that has finished, to so many epochs in all, of which the sidebar then tells too."""
    mine = steered_run()
    # Pressed twice, it may have them already.
    if mine is not None and mine.config.epochs < epochs:
        show_run(mine.run_id)
        run_service().resume_ended(mine.run_id, owner(), chosen_pace(), epochs)
        change_settings({"epochs": epochs})


@command
def one_epoch() -> None:
    """Train exactly one more epoch and stand still; without a live run, the first epoch of a new one."""
    mine = steered_run()
    run_id = mine.run_id if mine is not None and mine.is_live else _start(paused=True)
    show_run(run_id)
    run_service().pause(run_id, owner())
    run_service().step(run_id, owner())


@command
def stop() -> None:
    """End the run before its next epoch."""
    mine = steered_run()
    if mine is not None:
        run_service().stop(mine.run_id, owner())


@command
def trace_step(run_id: str) -> None:
    """Take a run's next step apart; the run goes on, or stands on, as if nobody had asked."""
    run_service().trace_step(run_id, owner())


@command
def reset() -> None:
    """Go back to the preview; one's own run is stopped and stays stored."""
    mine = steered_run()
    if mine is not None:
        run_service().reset(mine.run_id, owner())
    if mine is None or mine.run_id == st.session_state[RUN_KEY]:
        show_run(None)


@command
def change_pace() -> None:
    """Give the run that is shown the pace just chosen, if it is one's own and live."""
    mine = steered_run()
    if mine is not None and mine.is_live:
        run_service().set_pace(mine.run_id, owner(), chosen_pace())


@command
def change_learning_rate() -> None:
    """Let the run that is shown go on with the learning rate just chosen, if it is one's own and live."""
    keep_rate_base()
    mine = steered_run()
    if mine is not None and mine.is_live:
        run_service().set_learning_rate(mine.run_id, owner(), wanted_settings().learning_rate)


@command
def take_rule() -> None:
    """Let the next run have the learning rate of the linear scaling rule; one that trains has another batch."""
    change_settings({"learning_rate": rule_rate()})


@command
def step_learning_rate(by: int) -> None:
    """Take the next lower or higher learning rate of the sidebar's."""
    rates = scale(*run_service().limits.bounds("learning_rate"))
    rate = wanted_settings().learning_rate
    beyond = [one for one in rates if (one > rate if by > 0 else one < rate)]
    if beyond:
        change_settings({"learning_rate": min(beyond) if by > 0 else max(beyond)})
        change_learning_rate()


@command
def take_suggestion(changes: Mapping[str, Any], config: RunConfig) -> None:
    """Try one change to the settings of the run that it was found for.

    A learning rate reaches one's own live run at once; other changes wait for its end. When the run is over, or
    another browser's, the change starts a new run.
    """
    put_settings(run_service().limits.narrowed(config))
    change_settings(changes)
    mine = steered_run()
    if mine is None or not mine.is_live:
        _start()
    elif "learning_rate" in changes:
        change_learning_rate()


@command
def enter_room() -> None:
    """Show the passphrase that was typed."""
    show_passphrase(st.session_state.get(PASSPHRASE_KEY, ""), owner())


@teachers_command
def freeze(frozen: bool) -> None:
    """Let no new runs start, or let them start again."""
    run_service().room.freeze(frozen)


@teachers_command
def pause_all() -> None:
    """Let everybody's runs stand still until a study is over, or until they are let go on."""
    run_service().room.pause_all()


@teachers_command
def resume_paused() -> None:
    """Let the runs go on that stand for a study."""
    run_service().room.resume_paused()


@teachers_command
def stop_all() -> None:
    """End everybody's runs before their next epoch, and what is searched or measured."""
    _stop_searches()
    run_service().room.stop_all()


@teachers_command
def clear() -> None:
    """End everybody's runs, studies, sweeps and the spotlight, and let every page go back to the preview."""
    _stop_searches()
    run_service().room.clear()


@teachers_command
def put_in_spotlight(run_id: str | None) -> None:
    """Show a run on everybody's page, or let everybody see their own again."""
    run_service().room.put_in_spotlight(run_id)


@command
def open_run(run_id: str) -> None:
    """Show a run, with its settings in the sidebar."""
    _open(run_id)


@command
def start_study(wanted: Callable[[], StudyPlan]) -> None:
    """Measure what the controls ask for, and show that study."""
    STUDY.put(scaling_service().start(wanted(), owner()))


@command
def start_exchange(wanted: Callable[[], ExchangePlan]) -> None:
    """Measure what an exchange costs, and show that study."""
    EXCHANGE.put(scaling_service().start_exchange(wanted(), owner()))


@command
def cancel_study() -> None:
    """Measure nothing more; what is measured stays."""
    scaling_service().cancel(owner())


@command
def start_sweep(wanted: Callable[[], SweepPlan]) -> None:
    """Search what the controls ask for, and show that sweep."""
    SWEEP.put(sweep_service().start(wanted(), owner()))


@command
def stop_sweep(sweep_id: str) -> None:
    """Start no further trial of a sweep and end those that train; what was found stays."""
    sweep_service().stop(sweep_id, owner())


@command
def open_trial(sweep_id: str, wanted: Callable[[], str | None]) -> None:
    """Show a trial of a sweep on the Train page, with its settings in the sidebar; nothing where it has no run."""
    run_id = wanted()
    found = sweep_service().snapshot(sweep_id)
    if run_id is None or found is None or found.sweep.of_run(run_id) is None:
        return
    _open(run_id)
    st.session_state[OPEN_KEY] = True


def take_problem() -> DpdashError | None:
    """What the last command could not do, once."""
    problem: DpdashError | None = st.session_state.pop(PROBLEM_KEY, None)
    return problem


def _start(*, paused: bool = False) -> str:
    config, pace, mine = wanted_settings(), chosen_pace(), steered_run()
    forget_problems()
    if mine is None:
        run_id = run_service().start(config, owner(), pace, paused=paused)
        show_run(run_id)
        return run_id
    run_id = run_service().restart(mine.run_id, config, owner(), pace, paused=paused)
    show_run(run_id)
    if is_in_spotlight(mine):
        # Everybody follows whom the teacher shows, from run to run.
        run_service().room.put_in_spotlight(run_id)
    return run_id


def _open(run_id: str) -> None:
    put_settings(run_service().limits.narrowed(run_service().runs.snapshot(run_id).config))
    show_run(run_id)


def _stop_searches() -> None:
    """What starts run after run, before the runs themselves are ended."""
    sweep_service().stop_all()
    scaling_service().stop_all()
