"""The Scaling page: measure the speed-up of replicas, live, and what limits it.

The charts stand inside the fragment, whole: a study says something new once a second and not twenty times, and its
figures are a few points each.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import streamlit as st

from dpdash.core.scaling.plan import StudyPlan
from dpdash.core.scaling.study import Study, StudyStatus
from dpdash.findings.scaling.curves import curves
from dpdash.findings.scaling.verdict import ScalingVerdict, Sentence, verdicts
from dpdash.scaling.export import as_csv, as_json
from dpdash.scaling.live import StudySnapshot
from dpdash.scaling.service import ScalingService
from dpdash.store.plans import Head
from dpdash.ui.parts.controls import selection
from dpdash.ui.parts.header import show_title
from dpdash.ui.parts.labels import distinct
from dpdash.ui.parts.notices import escaped, show_problem_or_freeze, show_warnings
from dpdash.ui.parts.present import present_button
from dpdash.ui.parts.refreshing import refreshing
from dpdash.ui.scaling.charts import show_breakdown, show_curves
from dpdash.ui.scaling.controls import show_controls, show_measured
from dpdash.ui.session.clock import written_time
from dpdash.ui.session.inputs import STUDY
from dpdash.ui.session.language import _, current, number, sentence, setting
from dpdash.web.process import owner, run_service, scaling_service

REFRESH_SECONDS: Final = 0.5


def show_scaling() -> None:
    """Show the page, refreshed on a timer only while a study is measured."""
    service = scaling_service()
    measuring = service.measuring()
    # Before it is drawn: what changes in between is then drawn once more, and not missed.
    drawn = _frame(measuring)
    with st.container(key="scaling"):
        with st.container(horizontal=True, vertical_alignment="center", key="scaling_head"):
            show_title(_("Scaling: what more replicas bring"))
            present_button()
        _show_notices(measuring)
        show_controls(measuring)
        show_measured()
        studies = service.studies()
        _choose_study(studies)
        interval = None if measuring is None else REFRESH_SECONDS
        refreshing(service.measuring, _show_study, _frame, drawn, interval)
        if studies:
            _show_downloads()


def _frame(measuring: StudySnapshot | None) -> tuple[object, ...]:
    """What the rest of the page has drawn; when it changes, the whole page is run again."""
    if measuring is None:
        return run_service().room.is_frozen, None, False
    return run_service().room.is_frozen, measuring.study.study_id, measuring.is_cancelling


def _show_study(_measuring: StudySnapshot | None) -> None:
    shown = _shown()
    _show_progress(shown)
    show_curves(None if shown is None else shown.study)
    if shown is not None:
        _show_verdict(shown.study)
        show_breakdown(shown.study)


def _shown() -> StudySnapshot | None:
    return scaling_service().snapshot(STUDY.get()) if STUDY.get() else None


def _show_notices(measuring: StudySnapshot | None) -> None:
    show_problem_or_freeze(_("The teacher has paused new runs. Nothing new can be measured either."))
    if measuring is not None and measuring.study.owner != owner():
        st.info(_("Another browser measures now. Its study is shown here as it comes."))
    not_saved = scaling_service().problem or run_service().runs.health.problem
    if not_saved is not None:
        show_warnings([not_saved])


def _choose_study(studies: tuple[Head[StudyPlan], ...]) -> None:
    """The study to show: the one that was started or chosen last, else the newest."""
    if not studies:
        return
    names = distinct({study.value_id: _label(study) for study in studies})
    STUDY.put(selection(STUDY, _("Study"), names, help=_("Every study that was measured here, the newest first.")))


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


def _show_progress(shown: StudySnapshot | None) -> None:
    if shown is None:
        st.progress(0.0, _("Nothing measured yet. Press Start to measure this machine."))
        return
    study = shown.study
    done, wanted = shown.num_measured, study.num_wanted
    text = _("{done} of {wanted} measurements").format(done=number(done), wanted=number(wanted))
    if shown.is_cancelling:
        text = _("{progress} · ending").format(progress=text)
    elif shown.seconds_left is not None and study.status is StudyStatus.MEASURING:
        seconds = max(1, round(shown.seconds_left))
        left = _("{progress} · about 1 s left") if seconds == 1 else _("{progress} · about {seconds} s left")
        text = left.format(progress=text, seconds=number(seconds))
    st.progress(min(1.0, done / wanted), text)
    _show_end(shown)


def _show_end(shown: StudySnapshot) -> None:
    study = shown.study
    if study.status is StudyStatus.FAILED:
        # Those that this program makes itself are in the catalogue; any other stays as it is.
        st.error(escaped(_("The study ended early: {message}").format(message=_(study.message))))
    elif study.status is StudyStatus.CANCELLED:
        st.info(_("Cancelled. What was measured is kept."))
    elif study.status is StudyStatus.OUT_OF_TIME:
        st.info(_("The time that a study may take here was over. What was measured is kept."))
    elif shown.is_elsewhere:
        st.info(_("Another process measures this study. What it has measured so far stands here."))
    elif shown.was_left:
        st.warning(_("The server ended while this study was measured. What was measured is kept."))


def _show_verdict(study: Study) -> None:
    found = verdicts(study, curves(study))
    if not found:
        return
    with st.container(key="scaling_verdict"):
        for said in found:
            st.markdown(f"**{_named(said, said.sentences[:1])}**")
    with st.expander(_("Why, and what would change it")):
        for said in found:
            st.markdown(_named(said, said.sentences[1:]))


def _named(said: ScalingVerdict, sentences: Sequence[Sentence]) -> str:
    """Sentences about an engine, as markdown shows them."""
    text = " ".join(sentence(part.template, part.values) for part in sentences)
    return escaped(f"{current().name(said.engine)}: {text}")


def _show_downloads() -> None:
    """Show buttons whose files are made when they are asked for."""
    shown = _shown()
    if shown is None:
        return
    study_id, service = shown.study.study_id, scaling_service()
    with st.container(horizontal=True):
        for kind, make in (("csv", as_csv), ("json", as_json)):
            st.download_button(
                _("Download the study ({kind})").format(kind=kind.upper()),
                data=partial(_file, service, study_id, make),
                file_name=f"dpdash-scaling-{study_id}.{kind}",
                mime=f"text/{kind}",
                icon=":material/download:",
                on_click="ignore",
            )


def _file(service: ScalingService, study_id: str, make: Callable[[Study], str]) -> bytes:
    shown = service.snapshot(study_id)
    return b"" if shown is None else make(shown.study).encode()
