"""The transport bar: start, resume, pause, one epoch, stop, reset, and the pace.

Shortcuts are chords: a single key is dead while a slider has the focus, and Space presses other buttons.
"""

import streamlit as st

from dpdash.core.events import RunStatus
from dpdash.runs.service import RunSnapshot
from dpdash.ui.parts.button import button
from dpdash.ui.parts.choice import choice
from dpdash.ui.session.language import _, setting
from dpdash.ui.session.shown_run import is_mine, is_shown_by_teacher
from dpdash.ui.train import commands
from dpdash.ui.train.commands import PACE_KEY, SLOW_EPOCHS_PER_SECOND, USUAL_SECONDS, PaceName


def transport(shown: RunSnapshot | None) -> None:
    """Show the buttons, each enabled only where it can do something."""
    mine = shown if is_mine(shown) else None
    live = mine is not None and mine.is_live
    paused = mine is not None and live and mine.status is RunStatus.PAUSED
    guided = is_shown_by_teacher(shown)
    with st.container(horizontal=True, vertical_alignment="bottom", key="transport"):
        button(
            _("Restart") if live else _("Start"),
            "transport_start",
            "play_arrow",
            lambda: commands.start(shown),
            shortcut="Ctrl+Enter",
            help=_("Train with the settings as they stand."),
            type="primary",
            disabled=guided,
        )
        if mine is not None and mine.status.can_go_on:
            # In the place of Pause: with one button more the bar would wrap, and what is below it move.
            ended = mine
            button(
                _("Resume"),
                "transport_resume",
                "resume",
                lambda: commands.resume_ended(ended),
                shortcut="Ctrl+Shift+Enter",
                help=_("Train this run further, to as many epochs as the settings have if these are more."),
            )
        elif paused:
            button(
                _("Go on"), "transport_pause", "resume", lambda: commands.resume(_id(mine)), shortcut="Ctrl+Space"
            )
        else:
            button(
                _("Pause"),
                "transport_pause",
                "pause",
                lambda: commands.pause(_id(mine)),
                shortcut="Ctrl+Space",
                disabled=not live,
            )
        button(
            _("One epoch"),
            "transport_step",
            "skip_next",
            lambda: commands.one_epoch(mine),
            shortcut="Ctrl+Right",
            help=_("Train exactly one epoch and stand still."),
            disabled=guided,
        )
        button(
            _("Stop"),
            "transport_stop",
            "stop",
            lambda: commands.stop(_id(mine)),
            shortcut="Ctrl+Shift+X",
            disabled=not live,
        )
        button(
            _("Reset"),
            "transport_reset",
            "replay",
            lambda: commands.reset(_shown(shown)),
            shortcut="Ctrl+Backspace",
            help=_("Back to the preview; the run stays stored."),
            disabled=shown is None or guided,
        )
        _pace(mine)


def _pace(mine: RunSnapshot | None) -> None:
    names = {
        PaceName.SLOW: _("Slow motion"),
        PaceName.USUAL: _("About {seconds} s").format(seconds=setting(USUAL_SECONDS)),
        PaceName.MAX: _("Max"),
    }
    choice(
        _("Pace"),
        names,
        PACE_KEY,
        PaceName.USUAL,
        on_change=lambda: commands.change_pace(mine),
        help=_(
            "How fast the run goes by: {rate} epochs a second, in about {seconds} seconds (never faster than this "
            "machine can), or as fast as it can. It can be changed while the run trains."
        ).format(rate=setting(SLOW_EPOCHS_PER_SECOND), seconds=setting(USUAL_SECONDS)),
    )


def _shown(snapshot: RunSnapshot | None) -> RunSnapshot:
    assert snapshot is not None, "the button is disabled without a run"
    return snapshot


def _id(snapshot: RunSnapshot | None) -> str:
    return _shown(snapshot).run_id
