"""Sentences about what went wrong, safe to show whatever they quote."""

import re
from collections.abc import Iterable
from typing import Final

import streamlit as st

from dpdash.core.errors import ConfigError, DpdashError, FrozenError
from dpdash.core.events import RunFailed, RunStatus
from dpdash.runs.service import RunSnapshot
from dpdash.store.resuming import NO_CHECKPOINT
from dpdash.ui.session.language import _, error_text, number
from dpdash.ui.session.shown_run import is_in_spotlight, is_mine, own_run, take_missing_run
from dpdash.ui.session.state import PROBLEMS_KEY
from dpdash.ui.train.commands import take_problem
from dpdash.web.process import owner, run_service

_MARKDOWN: Final = re.compile(r"([\\\\`*_{}\[\]()#+\-.!|<>$:~&])")


def escaped(text: str) -> str:
    """A text that markdown shows letter by letter."""
    return _MARKDOWN.sub(r"\\\1", text)


def show_error(problem: DpdashError) -> None:
    """Show what a command could not do, one sentence for each reason."""
    reasons = problem.problems if isinstance(problem, ConfigError) else (problem,)
    st.error("  \n".join(escaped(error_text(reason)) for reason in reasons))


def show_warnings(problems: Iterable[DpdashError]) -> None:
    """Show what could not be taken as it was, one sentence each."""
    sentences = [escaped(error_text(problem)) for problem in problems]
    if sentences:
        st.warning("  \n".join(sentences))


def show_problem_or_freeze(freeze: str) -> None:
    """Show what the last command could not do; what a freeze refused is said by the sentence about the freeze."""
    problem, is_frozen = take_problem(), run_service().room.is_frozen
    if is_frozen:
        st.info(freeze)
    if problem is not None and not (is_frozen and isinstance(problem, FrozenError)):
        show_error(problem)


def show_run_notices(shown: RunSnapshot | None) -> None:
    """Show what a person must know about the run and the session before looking at the figures."""
    show_warnings(st.session_state[PROBLEMS_KEY])
    show_problem_or_freeze(_("The teacher has paused new runs. Those that train go on."))
    missing = take_missing_run()
    if missing is not None:
        show_error(missing)
    health = run_service().runs.health if shown is None else shown.saved
    if health.problem is not None:
        show_warnings([health.problem])
    if shown is None:
        return
    if is_in_spotlight(shown):
        st.info(_spotlight_text(shown))
    elif shown.owner != owner():
        st.info(_("You are watching a run of another browser. Start trains your own with the same settings."))
    if not shown.is_live and not shown.status.is_over:
        st.info(escaped(elsewhere(shown)))
    _show_waiting(shown)
    _show_resumed(shown)
    if isinstance(shown.history.ended, RunFailed):
        # Those that this program makes itself are in the catalogue; any other stays as it is.
        st.error(escaped(_("The run failed: {message}").format(message=_(shown.history.ended.message))))
    _show_origin_and_end(shown)


def _show_origin_and_end(shown: RunSnapshot) -> None:
    if shown.is_imported:
        st.info(
            _("This run was imported from a file. It was trained elsewhere, and nothing of it was measured here.")
        )
    elif shown.status is RunStatus.INTERRUPTED:
        st.warning(_("The server ended while this run trained. Its curve is kept up to there."))


def elsewhere(shown: RunSnapshot) -> str:
    """Where a run trains that is neither over nor of this process."""
    if shown.host is None:
        return _("Another process trains this run: it is shown here, and can be steered there only.")
    text = _("Another process trains this run, on {host}: it is shown here, and can be steered there only.")
    return text.format(host=shown.host)


def _spotlight_text(shown: RunSnapshot) -> str:
    if is_mine(shown):
        return _("Everybody sees this run of yours on their page.")
    own = own_run()
    if is_mine(own) and own is not None and not own.status.is_over:
        return _("The teacher shows this run on every page. Your own run goes on.")
    return _("The teacher shows this run on every page. Yours comes back when that ends.")


def _show_waiting(shown: RunSnapshot) -> None:
    if shown.place is None:
        return
    place = number(shown.place)
    if shown.waiting_for == "full_speed":
        text = _("Full speed as soon as a slot is free, place {place} in the queue. Until then at the old pace.")
    else:
        text = _("All slots are taken: place {place} in the queue. The run goes on by itself.")
    st.info(text.format(place=place))


def _show_resumed(shown: RunSnapshot) -> None:
    if shown.resumed_from is None or shown.status.is_over:
        return
    if shown.resumed_from:
        text = _("This run goes on after epoch {epoch}, where its newest checkpoint was taken.")
        st.info(text.format(epoch=number(shown.resumed_from)))
    else:
        st.info(_(NO_CHECKPOINT))
