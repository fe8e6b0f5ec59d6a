"""How fast the replicas of a step are beside one device, and what their step is made of: as Scaling says it."""

from contextlib import suppress
from typing import Any, Final

import streamlit as st

from dpdash.core.config import RunConfig
from dpdash.core.errors import DpdashError
from dpdash.core.scaling.plan import StudyPlan
from dpdash.core.scaling.waterfall import Waterfall
from dpdash.core.turns import StepTurns
from dpdash.findings.beside import of_turns, of_waterfall
from dpdash.findings.scaling.parts import waterfalls
from dpdash.runs.service import RunSnapshot
from dpdash.scaling.live import Snapshot
from dpdash.ui.parallelism.step import ShownStep
from dpdash.ui.parts.button import button
from dpdash.ui.parts.notices import escaped
from dpdash.ui.parts.ratios import ratios_text
from dpdash.ui.parts.refreshing import refreshing
from dpdash.ui.scaling.notices import show_progress, show_who_trains
from dpdash.ui.scaling.waterfall import show_waterfall
from dpdash.ui.session.language import _
from dpdash.ui.train import commands
from dpdash.web.process import run_service, scaling_service

REFRESH_SECONDS: Final = 0.5


def show_made_of(step: ShownStep, shown: RunSnapshot | None) -> None:
    """Show the ratios of a step's settings, and its parts where a study has measured them; offer one where not."""
    plan = _plan(step.config)
    if plan is None:
        return
    measuring = scaling_service().measuring()
    found = _found(step.config)
    with st.container(key="step_made_of"):
        _show_ratios(step.config, found, _measured_by_run(step, shown))
        _show_button(plan, is_open=measuring is None)
        refreshing(
            scaling_service().measuring,
            _show_measuring,
            _measuring_frame,
            _measuring_frame(measuring),
            None if measuring is None else REFRESH_SECONDS,
        )
        if found is not None:
            study_id, waterfall = found
            show_waterfall("step-parts", study_id, [waterfall])


def _plan(config: RunConfig) -> StudyPlan | None:
    """The study of a run's step; None where there is none, or this server cannot measure it."""
    if config.replicas < 2:
        return None
    with suppress(DpdashError):
        plan = StudyPlan.of_step(config)
        scaling_service().require(plan)
        return plan
    return None


def _found(config: RunConfig) -> tuple[str, Waterfall] | None:
    """The parts of a run's step as they were measured last, by whomever, and in which study."""
    service, wanted = scaling_service(), (config.engine, config.hidden_width, config.replicas)
    for head in service.studies():
        if not head.plan.measures(config):
            continue
        kept = service.snapshot(head.value_id)
        for one in () if kept is None else waterfalls(kept.study):
            if (one.engine, one.hidden_width, one.replicas) == wanted:
                return head.value_id, one
    return None


def _measured_by_run(step: ShownStep, shown: RunSnapshot | None) -> StepTurns | None:
    if shown is None or shown.config != step.config or shown.history.started is None:
        return None
    return shown.history.started.turns


def _show_ratios(config: RunConfig, found: tuple[str, Waterfall] | None, turns: StepTurns | None) -> None:
    if found is not None:
        source, ratios = _("Measured in a study of this step"), of_waterfall(found[1])
    elif turns is not None:
        source, ratios = _("Measured by the run before its first epoch"), of_turns(turns, config.replicas)
    else:
        return
    st.markdown(f"**{escaped(source)}:** {escaped(ratios_text(ratios, config.replicas))}")


def _show_button(plan: StudyPlan, *, is_open: bool) -> None:
    show_who_trains()
    button(
        _("Measure what a step is made of"),
        "measure_step",
        "experiment",
        lambda: commands.start_study(lambda: plan),
        disabled=not is_open or run_service().room.is_frozen,
        help=_(
            "Measure steps with these settings, with one cause of delay after the other taken away, in turns. "
            "What is found stands here and on Scaling, for everybody."
        ),
    )


def _show_measuring(measuring: Snapshot[Any] | None) -> None:
    if measuring is not None:
        show_progress(measuring)


def _measuring_frame(measuring: Snapshot[Any] | None) -> object:
    return None if measuring is None else measuring.study.study_id
