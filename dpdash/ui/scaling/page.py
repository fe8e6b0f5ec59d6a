"""The Scaling page: measure the speed-up of replicas, live, and what limits it.

The charts stand inside the fragment, whole: a study says something new once a second and not twenty times, and its
figures are a few points each.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import streamlit as st

from dpdash.core.config import EngineName
from dpdash.core.scaling.plan import StudyPlan
from dpdash.core.scaling.study import Study
from dpdash.core.words import SHORT_ENGINES
from dpdash.scaling.export import as_csv, as_json, parts_csv
from dpdash.scaling.live import StudySnapshot
from dpdash.store.plans import Head
from dpdash.ui.parts.controls import choice, selection
from dpdash.ui.parts.header import show_title
from dpdash.ui.parts.labels import distinct
from dpdash.ui.parts.present import present_button
from dpdash.ui.parts.refreshing import refreshing
from dpdash.ui.scaling.charts import show_curves, show_more, steps_of
from dpdash.ui.scaling.controls import show_controls, show_machine
from dpdash.ui.scaling.exchange import choose_view, show_exchange, show_other_measured
from dpdash.ui.scaling.notices import show_downloads, show_notices, show_progress, who_trains
from dpdash.ui.scaling.verdict import show_causes, show_headlines
from dpdash.ui.scaling.waterfall import show_parts
from dpdash.ui.session.clock import written_time
from dpdash.ui.session.inputs import STUDY, Input, ScalingView
from dpdash.ui.session.language import _, current, setting
from dpdash.web.process import run_service, scaling_service

REFRESH_SECONDS: Final = 0.5
ENGINE: Final = Input("scaling_step_of", EngineName.CPU_REPLICAS)
"""Whose step is shown part by part, where a study has several engines."""
WIDTH: Final = Input("scaling_width_shown", 0)
"""Of the hidden layers, where a study has several; the widest until one is chosen."""


def show_scaling() -> None:
    """Show the page, refreshed on a timer only while a study is measured."""
    service = scaling_service()
    measuring = service.measuring()
    # Before it is drawn: what changes in between is then drawn once more, and not missed.
    drawn = _frame(measuring)
    with st.container(key="scaling"):
        with st.container(horizontal=True, vertical_alignment="center", key="scaling_head"):
            show_title(_("Scaling: what more replicas bring"))
            view = choose_view()
            present_button()
        show_notices(measuring)
        show_other_measured(measuring, view)
        if view is ScalingView.EXCHANGE:
            show_exchange(measuring, REFRESH_SECONDS)
            return
        show_controls(measuring)
        studies = service.studies()
        _choose_study(studies)
        interval = None if measuring is None else REFRESH_SECONDS
        refreshing(service.measuring, _show_study, _frame, drawn, interval)
        show_machine()
        if studies:
            _show_downloads()


def _frame(measuring: StudySnapshot | None) -> tuple[object, ...]:
    """What the rest of the page has drawn; when it changes, the whole page is run again."""
    room = run_service().room.is_frozen, who_trains()
    return room, None if measuring is None else (measuring.study.study_id, measuring.is_cancelling)


def _show_study(_measuring: StudySnapshot | None) -> None:
    shown = _shown()
    show_progress(shown)
    if shown is None:
        show_curves(None, EngineName.CPU_REPLICAS, 0)
        return
    study = shown.study
    engine, width = _part_of(study.plan)
    show_headlines(study, engine, width)
    show_curves(study, engine, width)
    with st.container(key="scaling_parts"):
        said, numbers = st.columns(2)
        with said:
            show_causes(study, engine, width)
        steps = steps_of(study, engine, width)
        if steps:
            with numbers:
                show_parts(steps)
    show_more(study, width)


def _part_of(plan: StudyPlan) -> tuple[EngineName, int]:
    """The engine and the width that are shown."""
    engine, width = ENGINE.get(), WIDTH.get()
    return (
        engine if engine in plan.engines else plan.engines[0],
        width if width in plan.hidden_widths else max(plan.hidden_widths),
    )


def _shown() -> StudySnapshot | None:
    return scaling_service().snapshot(STUDY.get()) if STUDY.get() else None


def _choose_study(studies: tuple[Head[StudyPlan], ...]) -> None:
    """The study to show, the one that was started or chosen last, else the newest; and which part of it."""
    if not studies:
        return
    names = distinct({study.value_id: _label(study) for study in studies})
    hidden = "collapsed"
    with st.container(horizontal=True, vertical_alignment="center", key="scaling_shown"):
        STUDY.put(selection(STUDY, _("Study, the newest first"), names, label_visibility=hidden))
        plan = next(study.plan for study in studies if study.value_id == STUDY.get())
        if len(plan.engines) > 1:
            engines = {engine: _(SHORT_ENGINES[engine]) for engine in plan.engines}
            choice(ENGINE, _("Whose step is shown"), engines, label_visibility=hidden)
        if plan.is_map:
            widths = sorted(plan.hidden_widths, reverse=True)
            written = {width: _("width {value}").format(value=setting(width)) for width in widths}
            choice(WIDTH, _("Which width is shown"), written, label_visibility=hidden)


def _label(study: Head[StudyPlan]) -> str:
    plan = study.plan
    return _("{time} · {engines} · {mode} · {samples} samples · width {widths} · depth {depth}").format(
        time=written_time(study.created_at),
        engines=", ".join(current().name(engine) for engine in plan.engines),
        mode=current().name(plan.mode),
        samples=setting(plan.samples),
        widths=", ".join(setting(width) for width in plan.hidden_widths),
        depth=setting(plan.hidden_depth),
    )


def _show_downloads() -> None:
    shown = _shown()
    if shown is None:
        return
    study_id = shown.study.study_id
    found = partial(scaling_service().snapshot, study_id)
    show_downloads(
        (
            (f"dpdash-scaling-{study_id}.csv", _("Download the study (CSV)"), partial(_file, found, as_csv)),
            (
                f"dpdash-scaling-{study_id}-parts.csv",
                _("Download the parts (CSV)"),
                partial(_file, found, parts_csv),
            ),
            (f"dpdash-scaling-{study_id}.json", _("Download the study (JSON)"), partial(_file, found, as_json)),
        )
    )


def _file(found: Callable[[], StudySnapshot | None], make: Callable[[Study], str]) -> bytes:
    shown = found()
    return b"" if shown is None else make(shown.study).encode()
