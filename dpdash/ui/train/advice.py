"""What is happening in the run, and one change to try."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpdash.charts.run import RunView
from dpdash.core.config import RunConfig
from dpdash.core.learning_rates import in_force
from dpdash.findings.run import Verdict, verdict
from dpdash.findings.suggestion import Suggestion
from dpdash.findings.sweep import tried_beside
from dpdash.problem.preview import target
from dpdash.runs.service import RunSnapshot
from dpdash.ui.parts.notices import escaped
from dpdash.ui.session.language import _, current, sentence
from dpdash.ui.session.shown_run import is_mine, is_shown_by_teacher
from dpdash.ui.train.commands import take_suggestion
from dpdash.web.process import held_verdicts, run_service, sweep_service


def advice_box() -> DeltaGenerator:
    """Room for a verdict, in a box that keeps its height."""
    return st.container(horizontal=True, vertical_alignment="center", key="advice_body")


def show_advice(shown: RunSnapshot | None, view: RunView) -> None:
    """Show the verdict with a button that tries its suggestion, in the box that is open."""
    found = None if shown is None else held_verdicts().of(shown, lambda: _verdict(shown, view))
    st.markdown(_("**What is happening:** {text}").format(text=_text(found)))
    suggestion = found.suggestion if found else None
    starts = shown is None or not shown.is_live or not is_mine(shown)
    is_refused = is_shown_by_teacher(shown) or (starts and run_service().room.is_frozen)
    disabled = suggestion is None or is_refused
    st.button(
        _suggestion_text(suggestion) if suggestion else _("Nothing to try yet"),
        key="suggestion",
        icon=":material/lightbulb:",
        disabled=disabled,
        on_click=None if disabled else _take,
        args=(suggestion, shown),
    )


def _verdict(shown: RunSnapshot, view: RunView) -> Verdict | None:
    found = sweep_service().snapshot(shown.sweep_id) if shown.sweep_id else None
    tried = () if found is None else tried_beside(found.sweep, shown.run_id)
    return verdict(shown.config, shown.history, target(view.preview, run_service().limits.bounds, tried))


def _text(found: Verdict | None) -> str:
    if found is None:
        return _("Press Start: the line begins untrained and is fitted to the data, epoch by epoch.")
    return escaped(sentence(found.template, found.values))


def _suggestion_text(suggestion: Suggestion) -> str:
    return _("Try {setting}").format(setting=current().named(suggestion.setting, suggestion.value))


def _take(suggestion: Suggestion | None, shown: RunSnapshot | None) -> None:
    assert suggestion is not None, "the button is disabled without a suggestion"
    assert shown is not None, "there is no suggestion without a run"
    kind = type(RunConfig.model_fields[suggestion.setting].default)
    changes: dict[str, Any] = {suggestion.setting: kind(suggestion.value)}
    take_suggestion(changes, in_force(shown.config, shown.history.learning_rate_changes))
