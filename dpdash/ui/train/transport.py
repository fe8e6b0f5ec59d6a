"""The transport bar: start, resume, pause, one epoch, stop, reset, and the pace.

Shortcuts are chords: a single key is dead while a slider has the focus, and Space presses other buttons.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from dpdash.core.events import RunStatus
from dpdash.runs.service import RunSnapshot
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
        _button(
            _("Restart") if live else _("Start"),
            "start",
            "play_arrow",
            "Ctrl+Enter",
            lambda: commands.start(shown),
            help=_("Train with the settings as they stand."),
            type="primary",
            disabled=guided,
        )
        if mine is not None and mine.status.can_go_on:
            # In the place of Pause: with one button more the bar would wrap, and what is below it move.
            ended = mine
            _button(
                _("Resume"),
                "resume",
                "resume",
                "Ctrl+Shift+Enter",
                lambda: commands.resume_ended(ended),
                help=_("Train this run further, to as many epochs as the settings have if these are more."),
            )
        elif paused:
            _button(_("Go on"), "pause", "resume", "Ctrl+Space", lambda: commands.resume(_id(mine)))
        else:
            _button(
                _("Pause"), "pause", "pause", "Ctrl+Space", lambda: commands.pause(_id(mine)), disabled=not live
            )
        _button(
            _("One epoch"),
            "step",
            "skip_next",
            "Ctrl+Right",
            lambda: commands.one_epoch(mine),
            help=_("Train exactly one epoch and stand still."),
            disabled=guided,
        )
        _button(_("Stop"), "stop", "stop", "Ctrl+Shift+X", lambda: commands.stop(_id(mine)), disabled=not live)
        _button(
            _("Reset"),
            "reset",
            "replay",
            "Ctrl+Backspace",
            lambda: commands.reset(_shown(shown)),
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


def _button(
    label: str,
    name: str,
    icon: str,
    shortcut: str,
    command: Callable[[], None],
    *,
    disabled: bool = False,
    **options: Any,
) -> None:
    st.button(
        label,
        key=f"transport_{name}",
        icon=f":material/{icon}:",
        shortcut=shortcut,
        # A browser can be made to send a click on a button that is disabled.
        on_click=None if disabled else commands.once(command),
        disabled=disabled,
        **options,
    )


def _shown(snapshot: RunSnapshot | None) -> RunSnapshot:
    assert snapshot is not None, "the button is disabled without a run"
    return snapshot


def _id(snapshot: RunSnapshot | None) -> str:
    return _shown(snapshot).run_id
