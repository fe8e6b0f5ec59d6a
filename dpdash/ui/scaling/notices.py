"""What a person must know before the figures of a study: who else uses the machine, and what was left out."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dpdash.core.scaling.study import AnyStudy, StudyStatus
from dpdash.scaling.live import Snapshot
from dpdash.ui.parts.button import button
from dpdash.ui.parts.notices import escaped, show_problem_or_freeze, show_warnings
from dpdash.ui.session.language import _, number
from dpdash.ui.train import commands
from dpdash.web.process import owner, run_service, scaling_service
from dpdash.web.teacher import has_room, is_teacher


def show_notices(measuring: Snapshot[Any] | None) -> None:
    """Show what could not be done, who measures, and who trains meanwhile."""
    show_problem_or_freeze(_("The teacher has paused new runs. Nothing new can be measured either."))
    if measuring is not None and measuring.study.owner != owner():
        st.info(_("Another browser measures now. Its study is shown here as it comes."))
    not_saved = scaling_service().problem or run_service().runs.health.problem
    if not_saved is not None:
        show_warnings([not_saved])
    show_who_trains()


def who_trains() -> tuple[int, int]:
    """How many runs train now, and how many stand for a study."""
    service = run_service()
    return service.runs.num_training(), service.room.num_paused


def show_who_trains() -> None:
    """Show how many runs would disturb a study, and to a teacher a button that pauses them."""
    training, paused = who_trains()
    if not training and not paused:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="scaling_trains"):
        if training:
            text = (
                _("1 run trains; what is measured now will be wrong.")
                if training == 1
                else _("{runs} runs train; what is measured now will be wrong.").format(runs=number(training))
            )
            st.warning(text)
            if has_room() and is_teacher(owner()):
                button(
                    _("Pause them for the study"),
                    "scaling_pause",
                    "pause",
                    commands.pause_all,
                    help=_("Everybody's runs stand still until the study is over, and then go on by themselves."),
                )
        if paused:
            st.info(_("Runs that stand until the study is over: {runs}.").format(runs=number(paused)))
            if has_room() and is_teacher(owner()):
                button(_("Let them go on"), "scaling_resume", "play_arrow", commands.resume_paused)


def show_progress(shown: Snapshot[Any] | None) -> None:
    """Show how far a study has come, or how it ended."""
    if shown is None:
        st.progress(0.0, _("Nothing measured yet. Press Start to measure this machine."))
        return
    if shown.study.status is StudyStatus.MEASURING:
        st.progress(min(1.0, shown.num_measured / shown.study.num_wanted), _progress(shown))
    _show_end(shown)


def show_downloads(files: Sequence[tuple[str, str, Callable[[], bytes]]]) -> None:
    """Show a button for each file, of its name and its label, which is made when it is asked for."""
    with st.container(horizontal=True):
        for name, label, make in files:
            st.download_button(
                label,
                data=make,
                file_name=name,
                mime="application/json" if name.endswith("json") else "text/csv",
                icon=":material/download:",
                on_click="ignore",
            )


def _progress(shown: Snapshot[Any]) -> str:
    text = _("{done} of {wanted} measurements")
    text = text.format(done=number(shown.num_measured), wanted=number(shown.study.num_wanted))
    if shown.is_cancelling:
        return _("{progress} · ending").format(progress=text)
    if shown.seconds_left is None:
        return text
    seconds = max(1, round(shown.seconds_left))
    left = _("{progress} · about 1 s left") if seconds == 1 else _("{progress} · about {seconds} s left")
    return left.format(progress=text, seconds=number(seconds))


def _show_end(shown: Snapshot[Any]) -> None:
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
    _show_left_out(study)


def _show_left_out(study: AnyStudy) -> None:
    if study.left_out:
        counts = ", ".join(number(count) for count in study.left_out)
        st.caption(_("Left out, because the time does not suffice: {replicas} replicas.").format(replicas=counts))
    if study.rounds is not None and study.rounds < study.plan.repeats:
        text = _("Repeats: {rounds} of {repeats}, because the time does not suffice for more.")
        st.caption(text.format(rounds=number(study.rounds), repeats=number(study.plan.repeats)))
