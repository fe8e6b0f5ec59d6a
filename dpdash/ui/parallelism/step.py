"""Which step the page shows: one of the run that is shown, or one measured with the sidebar's settings."""

import math
from dataclasses import dataclass
from typing import Final

import streamlit as st

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import DpdashError
from dpdash.core.steps import StepTrace
from dpdash.runs.service import RunSnapshot
from dpdash.training.trace.turns import expected_seconds
from dpdash.ui.parallelism.traces import step_traces
from dpdash.ui.session.command import command
from dpdash.ui.session.shown_run import is_mine
from dpdash.ui.session.state import wanted_settings
from dpdash.ui.train import commands
from dpdash.web.process import run_service

MEASURED_KEY: Final = "measured_step"
"""The settings whose step was measured without a run, and the id of the run that was shown when that was asked."""
PENDING_KEY: Final = "pending_step"
"""The run that is to trace a step, and the one that it had traced when that was asked."""
MOST_WORK_UNASKED: Final = 1e9
"""Multiplications in the forward of a batch up to which a first visit gets a step without asking."""


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step, and whose it is."""

    config: RunConfig
    trace: StepTrace | None
    epoch: int | None
    """The epoch of the run before which it was traced; None for one that was measured without a run."""
    is_waiting: bool
    problem: DpdashError | None = None

    @property
    def name(self) -> str:
        """What the charts show: zoom lasts as long as it stays the same."""
        return f"step-{self.epoch}-{self.trace.seconds if self.trace else 0}"


def shown_step(shown: RunSnapshot | None) -> ShownStep:
    """The step to show now; one is measured where there is no run that has traced its own or still may."""
    run_id = shown.run_id if shown else None
    measured: tuple[str | None, RunConfig] | None = st.session_state.get(MEASURED_KEY)
    if measured is not None and measured[0] == run_id:
        return measured_step(measured[1])
    if shown is not None and (shown.history.traced is not None or not shown.status.is_over):
        traced = shown.history.traced
        trace, epoch = (traced.trace, traced.epoch) if traced else (None, None)
        return ShownStep(shown.config, trace, epoch, is_pending(shown))
    config = _allowed(wanted_settings() if shown is None else shown.config)
    if _work(config) > MOST_WORK_UNASKED:
        return ShownStep(config, None, None, is_waiting=False)
    step = asked_step(config)
    if step.problem is None:
        st.session_state[MEASURED_KEY] = (run_id, config)
    return step


def asked_step(config: RunConfig) -> ShownStep:
    """The step of a config, measured without a run where it is not yet; its problem says why it may not be."""
    try:
        step_traces().ask(config)
    except DpdashError as problem:
        return ShownStep(config, None, None, is_waiting=False, problem=problem)
    return measured_step(config)


def measured_step(config: RunConfig) -> ShownStep:
    """The step of a config as it was last measured without a run."""
    found, is_under_way = step_traces().found(config)
    trace, problem = (None, found) if isinstance(found, DpdashError) else (found, None)
    # One that found no place among those that wait is asked for again, until it has one.
    return ShownStep(config, trace, None, is_under_way or found is None, problem)


def is_pending(shown: RunSnapshot) -> bool:
    """Whether a run has been asked for a step that it has not traced yet."""
    asked = st.session_state.get(PENDING_KEY)
    return bool(asked == (shown.run_id, shown.history.traced) and not shown.status.is_over)


def seconds_to_trace(shown: RunSnapshot | None) -> float | None:
    """About what a trace of a run's step takes, by the speed at which it trains; None where that is unknown."""
    rate = shown.history.epochs_per_second if shown else None
    if shown is None or not rate:
        return None
    size = shown.config.global_batch_size or shown.config.samples
    return expected_seconds(1 / rate / math.ceil(shown.config.samples / size))


def traces_in_run(shown: RunSnapshot | None) -> bool:
    """Whether *Trace a step* is a command to the run that is shown."""
    return shown is not None and is_mine(shown) and shown.is_live


@command
def trace_now(shown: RunSnapshot | None) -> None:
    """Take a step of one's own live run apart, or measure one without it.

    That is one with the settings of a run that is over and has no step yet, or else with those of the sidebar.
    """
    if shown is not None and traces_in_run(shown):
        st.session_state.pop(MEASURED_KEY, None)
        st.session_state[PENDING_KEY] = shown.run_id, shown.history.traced
        commands.trace_step(shown.run_id)
        return
    is_without = shown is not None and shown.history.traced is None
    config = _allowed(shown.config if shown is not None and is_without else wanted_settings())
    step_traces().ask(config, anew=True)
    st.session_state[MEASURED_KEY] = shown.run_id if shown else None, config


def differs_from_sidebar(step: ShownStep) -> bool:
    """Whether the sidebar has moved on since the step was measured."""
    ignored = {"epochs"}
    return step.epoch is None and bool(set(_allowed(wanted_settings()).changes_from(step.config)) - ignored)


def _allowed(config: RunConfig) -> RunConfig:
    return run_service().limits.narrowed(config)


def _work(config: RunConfig) -> float:
    size = config.global_batch_size or config.samples
    return float(size * max(1, config.hidden_depth * config.hidden_width**2))


def engine_of(trace: StepTrace) -> EngineName:
    """The engine that did a step."""
    return EngineName(trace.engine)
