"""The transport bar: start, resume, pause, one epoch, stop, reset, and the pace."""

from html import escape

import streamlit as st

from dpdash.core.events import RunStatus
from dpdash.runs.service import RunSnapshot
from dpdash.ui.parts.button import button
from dpdash.ui.parts.controls import choice
from dpdash.ui.session.language import _, current, setting
from dpdash.ui.session.shown_run import is_mine, is_shown_by_teacher
from dpdash.ui.session.state import wanted_settings
from dpdash.ui.train import commands
from dpdash.ui.train.commands import PACE, SLOW_EPOCHS_PER_SECOND, USUAL_SECONDS, PaceName
from dpdash.web.process import run_service


def transport(shown: RunSnapshot | None) -> None:
    """Show the buttons, each enabled only where it can do something."""
    mine = shown if is_mine(shown) else None
    with st.container(horizontal=True, vertical_alignment="center", key="steering"):
        _buttons(shown, mine)
        _pace()


def _buttons(shown: RunSnapshot | None, mine: RunSnapshot | None) -> None:
    live = mine is not None and mine.is_live
    paused = mine is not None and live and mine.status is RunStatus.PAUSED
    guided, frozen = is_shown_by_teacher(shown), run_service().room.is_frozen
    with st.container(horizontal=True, vertical_alignment="center", width="content", key="transport"):
        button(
            _("Restart") if live else _("Start"),
            "transport_start",
            "play_arrow",
            commands.start,
            help=_("Train with the settings as they stand."),
            # While a run stands still, to go on is what is wanted most.
            type="secondary" if paused else "primary",
            disabled=guided or frozen,
        )
        if mine is not None and mine.status.can_go_on:
            # In the place of Pause: with one button more the bar would wrap, and what is below it move.
            button(
                _("Resume"),
                "transport_resume",
                "resume",
                commands.resume_ended,
                help=_("Train this run further, to as many epochs as the settings have if these are more."),
                disabled=frozen,
            )
        elif paused:
            button(_("Go on"), "transport_pause", "resume", commands.resume, type="primary")
        else:
            button(
                _("Pause"),
                "transport_pause",
                "pause",
                commands.pause,
                disabled=not live,
            )
        button(
            _("One epoch"),
            "transport_step",
            "skip_next",
            commands.one_epoch,
            help=_("Train exactly one epoch and stand still."),
            disabled=guided or (frozen and not live),
        )
        button(
            _("Stop"),
            "transport_stop",
            "stop",
            commands.stop,
            disabled=not live,
        )
        button(
            _("Reset"),
            "transport_reset",
            "replay",
            commands.reset,
            help=_("Back to the preview; the run stays stored."),
            disabled=shown is None or guided,
        )
        if live:
            _rate()


def _rate() -> None:
    """The learning rate beside the charts, where the sidebar covers them: on a phone."""
    with st.container(horizontal=True, vertical_alignment="center", width="content", key="transport_rate"):
        button(
            _("Lower learning rate"),
            "transport_lower",
            "remove",
            lambda: commands.step_learning_rate(-1),
        )
        rate = current().named("learning_rate", wanted_settings().learning_rate)
        st.html(
            f"<span title='{escape(rate)}'>{escape(setting(wanted_settings().learning_rate))}</span>",
            width="content",
        )
        button(
            _("Higher learning rate"),
            "transport_higher",
            "add",
            lambda: commands.step_learning_rate(1),
        )


def _pace() -> None:
    names = {
        PaceName.SLOW: _("Slow motion"),
        PaceName.USUAL: _("About {seconds} s").format(seconds=setting(USUAL_SECONDS)),
        PaceName.MAX: _("Max"),
    }
    choice(
        PACE,
        _("Pace"),
        names,
        label_visibility="collapsed",
        then=commands.change_pace,
        help=_(
            "How fast the run goes by: {rate} epochs a second, in about {seconds} seconds (never faster than this "
            "machine can), or as fast as it can. It can be changed while the run trains."
        ).format(rate=setting(SLOW_EPOCHS_PER_SECOND), seconds=setting(USUAL_SECONDS)),
    )
