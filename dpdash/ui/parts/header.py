"""The title, what the run is doing, and the link to it."""

import html
import re
import shlex
from typing import Final

import streamlit as st

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import N_
from dpdash.core.events import RunDiverged, RunStatus, RunStopped, StopReason
from dpdash.core.learning_rates import moves
from dpdash.core.places import COMMAND
from dpdash.core.translations import MOST_MOVES
from dpdash.runs.service import RunSnapshot
from dpdash.ui.parts.present import present_button
from dpdash.ui.parts.qr import qr_html
from dpdash.ui.room.nicknames import nickname_html, nickname_text, nicknames
from dpdash.ui.session.language import _, current, number
from dpdash.ui.session.links import address
from dpdash.ui.session.state import wanted_settings
from dpdash.ui.train.code import show_code_button
from dpdash.web.process import owner
from dpdash.web.teacher import has_room

STOP_REASONS: Final = {
    StopReason.ASKED: N_("stopped at epoch {epoch}"),
    StopReason.BROWSER_GONE: N_("stopped at epoch {epoch}, because its browser was gone"),
    StopReason.TEACHER: N_("stopped at epoch {epoch} by the teacher"),
    StopReason.SWEEP: N_("stopped at epoch {epoch} by its sweep"),
}
BREAK: Final = re.compile("(?=[,:])")
"""Before it stands what a title says on a phone."""


def header(shown: RunSnapshot | None) -> None:
    """Show the title, the status (announced to screen readers), the browser's name in the Room, and the links."""
    with st.container(horizontal=True, vertical_alignment="center", key="header"):
        show_title(current().problem(wanted_settings() if shown is None else shown.config))
        st.html(
            f"<div class='dpdash-status dpdash-{_state(shown)}' role='status' aria-live='polite'>"
            f"{html.escape(status_text(shown))}</div>",
            width="content",
        )
        _moved_rate(shown)
        if has_room():
            name = nicknames().of(owner())
            st.html(nickname_html(name, nickname_text(name)), width="content")
        _share(shown)
        show_code_button(shown)
        present_button()


def show_title(text: str) -> None:
    """Show the one heading of a page; a narrow one has room for what stands before its first comma or colon."""
    first, *more = (html.escape(part) for part in BREAK.split(text, maxsplit=1))
    rest = f"<span class='dpdash-rest'>{''.join(more)}</span>"
    st.html(f"<h1 class='dpdash-title' lang='{current().tag}'>{first}{rest}</h1>")


def show_part(text: str) -> None:
    """Show the heading of a part of a page."""
    st.html(f"<h2 class='dpdash-part'>{html.escape(text)}</h2>")


def status_text(shown: RunSnapshot | None) -> str:
    """What the run is doing, in a few words."""
    if shown is None:
        return _("ready")
    history = shown.history
    if isinstance(history.ended, RunDiverged):
        return _("diverged at epoch {epoch}").format(epoch=number(history.ended.epoch))
    if isinstance(history.ended, RunStopped) and shown.status is RunStatus.STOPPED:
        return _(STOP_REASONS[history.ended.reason]).format(epoch=number(history.ended.num_epochs))
    if shown.is_stopping:
        return _("stopping")
    if shown.status is RunStatus.PAUSED:
        return _("paused at epoch {epoch}").format(epoch=number(history.num_epochs))
    if shown.place is not None and shown.status is RunStatus.WAITING:
        return _("waiting, place {place}").format(place=number(shown.place))
    if shown.config.engine is EngineName.DDP and shown.is_live and history.started is None:
        replicas = shown.config.replicas
        text = _("starting 1 process") if replicas == 1 else _("starting {replicas} processes")
        return text.format(replicas=number(replicas))
    return current().name(shown.status)


def _moved_rate(shown: RunSnapshot | None) -> None:
    """Say how the learning rate was moved: the run is another one than its first settings say."""
    if shown is None or not moves(shown.config, shown.history.learning_rate_changes):
        return
    said, changes = current(), shown.history.learning_rate_changes
    whole, text = (
        html.escape(said.brief("learning_rate", said.value_of("learning_rate", shown.config, changes, most)))
        for most in (MOST_MOVES, 1)
    )
    st.html(f"<div class='dpdash-moved' title='{whole}'>{text}</div>", width="content")


def _state(shown: RunSnapshot | None) -> str:
    return "ready" if shown is None else shown.status.value


def _share(shown: RunSnapshot | None) -> None:
    config = wanted_settings() if shown is None else shown.config
    link = address(config, None if shown is None else shown.run_id)
    with st.popover(_("Share"), icon=":material/share:"):
        if shown is None:
            st.caption(_("Open these settings"))
            if config.data is not None:
                st.caption(
                    _("Own data are in no link: it opens with points around y = 3x. Share a run of them instead.")
                )
        else:
            st.caption(_("Watch this run (only the browser that started it can steer it)"))
        st.html(qr_html(link))
        _show_to_copy(link)
        st.caption(_("Train without a browser"))
        _show_to_copy(command_line(config))


def _show_to_copy(text: str) -> None:
    """Show a text with a button that copies it: Streamlit's own needs a pointer to be seen, and HTTPS to work."""
    st.code(text, language=None, wrap_lines=True)
    copy, done = html.escape(_("Copy")), html.escape(_("Copied"))
    st.html(f"<button class='dpdash-copy' data-text='{html.escape(text)}' data-done='{done}'>{copy}</button>")


def command_line(config: RunConfig) -> str:
    """The command that repeats a run; settings that have their usual value are left out."""
    usual = RunConfig()
    data = config.data
    changed = RunConfig.model_validate(config).changes_from(usual if data is None else usual.on(data))
    written = config.to_query()
    options = [f"--{name.replace('_', '-')} {written[name]}" for name in changed]
    if data is not None:
        options = [
            f"--data {shlex.quote(data.name)}",
            *(["--standardise"] if data.is_standardised else []),
            *options,
        ]
    return " ".join((f"{COMMAND} train", *options))
