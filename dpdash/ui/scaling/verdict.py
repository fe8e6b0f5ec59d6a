"""What a study says: how fast replicas are, what makes them so, and what would change that, a click away."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import streamlit as st

from dpdash.core.config import EngineName
from dpdash.core.errors import N_, DpdashError
from dpdash.core.scaling.plan import StudyPlan
from dpdash.core.scaling.study import Study
from dpdash.findings.scaling.changes import Change
from dpdash.findings.scaling.curves import curves
from dpdash.findings.scaling.sentence import Sentence
from dpdash.findings.scaling.verdict import ScalingVerdict, verdict, where_it_pays
from dpdash.ui.parts.button import button
from dpdash.ui.parts.notices import escaped
from dpdash.ui.session.inputs import PRESENT
from dpdash.ui.session.language import _, current, sentence, setting
from dpdash.ui.train import commands
from dpdash.web.process import run_service, scaling_service

_LABELS: Final = {
    "hidden_width": N_("Measure at width {value}"),
    "samples": N_("Measure with {value} samples"),
    "replicas": N_("Measure up to {value} replicas"),
    "engine": N_("Measure with {value}"),
}


def show_headlines(study: Study, engine: EngineName, width: int) -> None:
    """Show how fast the replicas of each engine are at a width, in a line; of a map, and to a room, of one."""
    found = curves(study)
    pays = where_it_pays(study, found, engine)
    lines = [] if pays is None else [_named(engine, (pays,))]
    shown = (engine,) if study.plan.is_map or PRESENT.get() else study.plan.engines
    for curve in found:
        if curve.hidden_width == width and curve.engine in shown:
            said = verdict(study, curve)
            lines += [] if said is None else [_named(curve.engine, said.headline)]
    if lines:
        with st.container(key="scaling_verdict"):
            st.markdown("  \n".join(f"**{line}**" for line in lines))


def show_causes(study: Study, engine: EngineName, width: int) -> None:
    """Show what makes a step of an engine what it is, and buttons that measure what would change it."""
    found = [curve for curve in curves(study) if (curve.engine, curve.hidden_width) == (engine, width)]
    said = verdict(study, found[0]) if found else None
    if said is None:
        return
    if said.step is not None:
        lines = [f"- {_written((cause.sentence,))}" for cause in said.causes]
        st.markdown("\n".join([_named(engine, (said.step,)), "", *lines]))
    if said.advice:
        st.markdown(_written(said.advice))
    _show_changes(said, study.plan)
    if said.notes:
        st.caption(_written(said.notes))


def _show_changes(said: ScalingVerdict, plan: StudyPlan) -> None:
    """Buttons for the changes that this server can measure."""
    service = scaling_service()
    is_open = service.measuring() is None and not run_service().room.is_frozen
    with st.container(horizontal=True, key="scaling_changes"):
        for change in said.changes:
            with suppress(DpdashError):
                wanted = change.of(plan)
                service.require(wanted)
                button(
                    _label(change),
                    f"scaling_change_{change.setting}",
                    "experiment",
                    lambda wanted=wanted: commands.start_study(lambda: wanted),  # type: ignore[misc]
                    is_refreshed=True,
                    disabled=not is_open,
                    help=_("It may make the largest of these a smaller share of a step. Measure whether it does."),
                )


def _label(change: Change) -> str:
    value = current().name(change.value) if isinstance(change.value, EngineName) else setting(change.value)
    return _(_LABELS[change.setting]).format(value=value)


def _named(engine: EngineName, sentences: Iterable[Sentence]) -> str:
    return f"{escaped(current().name(engine))}: {_written(sentences)}"


def _written(sentences: Iterable[Sentence]) -> str:
    """Sentences as markdown shows them."""
    return escaped(" ".join(sentence(one.template, one.values) for one in sentences))
