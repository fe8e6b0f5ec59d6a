"""The look back: a slider over the epochs of a run that stands still."""

from typing import Final

import streamlit as st

from dpdash.charts.run import RunView
from dpdash.core.events import RunStatus
from dpdash.runs.service import RunSnapshot
from dpdash.ui.session.language import _, number
from dpdash.ui.session.state import LOOK_BACK_KEY

SLIDER_KEY: Final = "look_back_slider"
IDLE_KEY: Final = f"idle-{SLIDER_KEY}"
"""The slider while nobody can take it. Another one than the slider to take: a page says with each message where
its sliders stand, also with one that is on its way while the run is paused, and nobody has taken that."""


def chosen_epoch(shown: RunSnapshot | None) -> int | None:
    """The epoch that a person looks back to; None while the newest is shown."""
    epoch = st.session_state.get(LOOK_BACK_KEY)
    if shown is None or epoch is None or not _stands_still(shown.status):
        return None
    return int(epoch) if 1 <= epoch < shown.history.num_epochs else None


def show_look_back(view: RunView) -> None:
    """Show the slider; it stands at the newest epoch until somebody takes it."""
    num_epochs = view.history.num_epochs if view.history else 0
    if not _stands_still(view.status) or num_epochs < 2:
        show_idle_look_back(view)
        return
    epoch = view.cursor or num_epochs
    _slider(view, SLIDER_KEY, _("Look back: epoch {epoch}").format(epoch=number(epoch)), epoch)


def show_idle_look_back(view: RunView) -> None:
    """Show where the slider will be; it says the same for as long as the run moves."""
    _slider(view, IDLE_KEY, _("Look back: when the run stands still"), 1)


def _slider(view: RunView, key: str, label: str, epoch: int) -> None:
    is_idle = key == IDLE_KEY
    st.session_state[key] = epoch
    st.slider(
        label,
        1,
        max(view.config.epochs, 2),
        key=key,
        on_change=None if is_idle else _take,
        disabled=is_idle,
        help=_("When the run stands still, moves the fit, the numbers and the cursor through every epoch."),
    )


def _take() -> None:
    st.session_state[LOOK_BACK_KEY] = st.session_state[SLIDER_KEY]


def _stands_still(status: RunStatus | None) -> bool:
    return status is not None and (status.is_over or status is RunStatus.PAUSED)
