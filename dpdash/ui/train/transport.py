"""The transport bar: start, resume, pause, one epoch, stop, reset, and the pace."""

from html import escape

import streamlit as st

from dpdash.core.events import RunStatus
from dpdash.runs.service import NOT_OWNER, RunSnapshot
from dpdash.ui.parts.button import button
from dpdash.ui.parts.controls import choice
from dpdash.ui.parts.notices import elsewhere
from dpdash.ui.session.language import _, current, number, setting
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
    live, off = mine is not None and mine.is_live, _why_off(shown)
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
        if mine is not None and mine.can_go_on and run_service().runs.has_store:
            # In the place of Pause: with one button more the bar would wrap, and what is below it move.
            _go_on(mine, frozen)
        elif paused:
            button(_("Go on"), "transport_pause", "resume", commands.resume, type="primary")
        else:
            button(
                _("Pause"),
                "transport_pause",
                "pause",
                commands.pause,
                help=off or _("Pause"),
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
            help=off or _("Stop"),
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


def _why_off(shown: RunSnapshot | None) -> str:
    """Why a run that is shown cannot be paused or stopped here; empty where that is not so."""
    if shown is None or shown.status.is_over or is_shown_by_teacher(shown) or (shown.is_live and is_mine(shown)):
        return ""
    return elsewhere(shown) if is_mine(shown) else _(NOT_OWNER)


def _go_on(ended: RunSnapshot, frozen: bool) -> None:
    """What lets a run go on that has ended: to its last epoch or, where it has had that, to a later one."""
    if ended.status is not RunStatus.FINISHED:
        button(
            _("Resume"),
            "transport_resume",
            "resume",
            commands.resume_ended,
            help=_("Train this run further, to as many epochs as the settings have if these are more."),
            disabled=frozen,
        )
        return
    epochs, wanted = ended.config.epochs, wanted_settings().epochs
    total = wanted if wanted > epochs else run_service().limits.further(epochs)
    more = total - epochs
    help_text = (
        _("Train this run further, to {epochs} epochs in all. Choose more in the sidebar, and these are trained.")
        if more
        else _("This server lets a run have at most {epochs} epochs.")
    )
    # A box of its own, for the number is to be seen.
    with st.container(width="content", key="transport_more"):
        button(
            _("+ 1 epoch") if more == 1 else _("+ {epochs} epochs").format(epochs=number(more)),
            "transport_resume",
            "resume",
            lambda: commands.train_on(total),
            help=help_text.format(epochs=number(total)),
            disabled=frozen or not more,
        )


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
