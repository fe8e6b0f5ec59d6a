"""One step of the training, taken apart: what the page shows, and what keeps it up to date."""

from typing import Final

import streamlit as st

from dpdash.core.config import EngineName, RunConfig, for_its_engine
from dpdash.core.errors import DpdashError
from dpdash.core.steps import StepTrace
from dpdash.findings.step import StepSentence, step_verdict
from dpdash.runs.service import RunSnapshot
from dpdash.training import catalog
from dpdash.training.engine import InProcess
from dpdash.training.trace.turns import NUM_STEPS
from dpdash.ui.parallelism.charts import show_cost, show_phases, show_shards_and_memory, show_timelines
from dpdash.ui.parallelism.made_of import show_made_of
from dpdash.ui.parallelism.step import (
    ShownStep,
    asked_step,
    differs_from_sidebar,
    is_pending,
    seconds_to_trace,
    shown_step,
    trace_now,
    traces_in_run,
)
from dpdash.ui.parallelism.table import show_gradients
from dpdash.ui.parallelism.traces import step_tracing
from dpdash.ui.parts.button import button
from dpdash.ui.parts.controls import selection, slider
from dpdash.ui.parts.header import show_title
from dpdash.ui.parts.notices import escaped, show_error, show_run_notices
from dpdash.ui.parts.present import present_button
from dpdash.ui.parts.refreshing import nothing, refreshing
from dpdash.ui.session.inputs import Input
from dpdash.ui.session.language import _, current, error_text, number, sentence
from dpdash.ui.session.shown_run import is_mine, shown_run
from dpdash.web.process import run_service

USUAL_REPLICAS: Final = 2
WAITING_SECONDS: Final = 0.5
"""How often a page that waits for a step looks whether it is there."""


def show_step_page(shown: RunSnapshot | None) -> None:
    """Show a step of the run, or of the sidebar's settings, and refresh the page when there is another one."""
    step = shown_step(shown)
    with st.container(key="step"):
        _show_commands(shown, step)
        show_run_notices(shown)
        if step.problem is not None:
            show_error(step.problem)
        other = None
        if step.trace is None:
            st.info(_under_way(shown, step) if step.is_waiting else _not_traced(shown))
            show_made_of(step, shown)
        else:
            other = _show_step(step, step.trace, shown)
        _show_source(shown, step)
    waits = step.is_waiting or (other is not None and other.is_waiting)
    interval = WAITING_SECONDS if waits else None
    if not waits and shown is not None and shown.is_moving:
        interval = run_service().room.refresh_seconds
    drawn = _frame(shown, step.is_waiting, other is not None and other.is_waiting)
    refreshing(
        shown_run,
        nothing,
        lambda seen: _frame(seen, _still_waits(step, seen), other is not None and _still_waits(other, None)),
        drawn,
        interval,
    )


def _show_commands(shown: RunSnapshot | None, step: ShownStep) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="step_commands"):
        show_title(_("One step, taken apart"))
        if step.trace is not None and step.trace.emulated:
            st.badge(_("emulated on CPU"), color="orange")
        button(
            _("Trace a step"),
            "trace_step",
            "call_split",
            lambda: trace_now(shown),
            type="primary",
            help=_(
                "Take the next step of your run apart, while it trains or stands; without one, a step with the "
                "sidebar's settings. It is done on a copy: the training itself does not notice."
            ),
            disabled=_is_foreign(shown),
        )
        present_button()


def _show_source(shown: RunSnapshot | None, step: ShownStep) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="step_source"):
        st.caption(escaped(_source(step, shown)))
        if step.trace is not None:
            _show_download(step)


def _is_foreign(shown: RunSnapshot | None) -> bool:
    """Whether a run goes on that is not this browser's; one that is over is measured without it."""
    return shown is not None and not is_mine(shown) and not shown.status.is_over


def _source(step: ShownStep, shown: RunSnapshot | None) -> str:
    if step.epoch is not None:
        text = _("The first step of epoch {epoch} of the run that is shown.").format(epoch=number(step.epoch))
        return (
            " ".join([text, _("Only the browser that started the run can trace it.")])
            if _is_foreign(shown)
            else text
        )
    if step.trace is None:
        return _("What data parallelism does in one step, measured on this machine.")
    if shown is not None and step.config == shown.config:
        return _("The first step with the settings of the run that is shown, measured without it.")
    text = _("The first step with the settings of the sidebar, measured without a run.")
    if differs_from_sidebar(step):
        text = _("The first step with the settings that the sidebar had. Trace a step to measure the new ones.")
    return text


def _show_download(step: ShownStep) -> None:
    engine = catalog.engine(step.config.engine)
    is_possible = isinstance(engine, InProcess) and engine.availability(step.config).ok
    problem = step_tracing().problem(step.config) if is_possible else None
    st.download_button(
        _("Download trace"),
        data=lambda: step_tracing().chrome_trace(step.config),
        file_name="dpdash-step.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        disabled=not is_possible or problem is not None,
        help=_(
            "A first step with these settings, recorded by torch.profiler when you press: open the file in "
            "ui.perfetto.dev or chrome://tracing. The profiler sees one process and takes time itself."
        ),
    )
    if problem is not None:
        st.caption(escaped(error_text(problem)))


def _show_step(step: ShownStep, trace: StepTrace, shown: RunSnapshot | None) -> ShownStep | None:
    """Show everything about a step; the one beside it is returned."""
    headline, *more = step_verdict(trace)
    with st.container(key="step_verdict"):
        _say(_("Where the time went"), headline)
    show_phases(trace)
    timelines = st.container()
    with st.container(key="step_more"):
        show_cost(trace)
        for said in more:
            _say(None, said)
    other = _compared(step)
    if other is not None:
        _show_comparison(other)
    with timelines:
        show_timelines(step, trace, other.trace if other else None)
    show_made_of(step, shown)
    show_gradients(trace)
    show_shards_and_memory(step, trace)
    return other


def _show_comparison(other: ShownStep) -> None:
    if other.problem is not None:
        show_error(other.problem)
    elif other.trace is None:
        st.caption(_joined(_("The step beside it is being measured."), _starting(other)))


def _under_way(shown: RunSnapshot | None, step: ShownStep) -> str:
    return _joined(_("A step is being traced."), _how_often(), _how_long(shown), _starting(step))


def _not_traced(shown: RunSnapshot | None) -> str:
    yet = (
        _("No step has been traced here yet.") if shown is None else _("No step of this run has been traced yet.")
    )
    return _joined(yet, _how_often(), _how_long(shown))


def _how_often() -> str:
    text = _("Trace a step does it {steps} times, in turns with as many that nobody watches.")
    return text.format(steps=number(NUM_STEPS))


def _how_long(shown: RunSnapshot | None) -> str:
    """What a trace takes where that is known and long enough to be said; empty otherwise."""
    seconds = seconds_to_trace(shown)
    if seconds is None or seconds < 1:
        return ""
    return _("That takes about {seconds} s.").format(seconds=number(round(seconds)))


def _joined(*texts: str) -> str:
    return " ".join(text for text in texts if text)


def _starting(step: ShownStep) -> str:
    """What a step waits for that is measured in processes of its own; empty for others."""
    if step.config.engine is not EngineName.DDP:
        return ""
    return _("The processes of DDP are starting for it, which takes some seconds.")


def _compared(step: ShownStep) -> ShownStep | None:
    """The same step with the engine and the replicas chosen here, measured when it is not yet."""
    offer = catalog.offer()
    engines = [name for name in catalog.ENGINES if _config_beside(step, name, USUAL_REPLICAS) is not None]
    is_parallel = step.config.replicas > 1
    usual = EngineName.SINGLE if is_parallel or offer.parallel_engine not in engines else offer.parallel_engine
    with st.container(horizontal=True, key="step_beside"):
        names = {name: current().name(name) for name in engines}
        engine = selection(
            Input("compared_engine", usual),
            _("Engine beside it"),
            names,
            help=_("The same first step, of a fresh model with the same settings, done in another way."),
        )
        replicas = slider(
            Input("compared_replicas", USUAL_REPLICAS),
            _("Replicas beside it"),
            1,
            offer.max_replicas,
            disabled=engine is EngineName.SINGLE,
            help=_("Copies of the model in the step beside it. One device has one."),
        )
    config = _config_beside(step, engine, replicas)
    if config is None:
        return None
    return asked_step(config)


def _config_beside(step: ShownStep, engine: EngineName, replicas: int) -> RunConfig | None:
    """The step's settings with another engine, where this machine has what that needs."""
    count = 1 if engine is EngineName.SINGLE else replicas
    changes = {"engine": engine, "replicas": count, "devices": None}
    try:
        config = run_service().limits.narrowed(RunConfig.parse(for_its_engine(dict(step.config) | changes)))
    except DpdashError:
        return None
    return config if catalog.engine(engine).availability(config).ok else None


def _say(about: str | None, said: StepSentence) -> None:
    text = escaped(sentence(said.template, said.values))
    st.markdown(f"**{about}:** {text}" if about else text)


def _frame(shown: RunSnapshot | None, step_waits: bool, other_waits: bool) -> tuple[object, ...]:
    """What the page has drawn; when it changes, the whole page is run again."""
    run = (shown.run_id, shown.status, shown.is_moving, shown.history.traced) if shown else None
    return run, step_waits, other_waits


def _still_waits(step: ShownStep, shown: RunSnapshot | None) -> bool:
    """Whether a step that was drawn as one to wait for still is."""
    if not step.is_waiting:
        return False
    if shown is not None and traces_in_run(shown):
        return is_pending(shown)
    return asked_step(step.config).is_waiting
