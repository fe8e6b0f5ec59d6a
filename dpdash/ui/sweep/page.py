"""The Sweep page: many runs over settings, live, and where the good ones are.

As on the Scaling page the charts stand inside the fragment, whole: a trial ends a few times a second at most, and
the figures are a few points each.
"""

import html
from typing import Final

import streamlit as st

from dpdash.core.errors import N_, ConfigError, StoreError
from dpdash.core.places import PAGES
from dpdash.core.sweep import Sweep, SweepPlan, SweepStatus, Trial, TrialStatus
from dpdash.findings.sweep import as_good_as_the_best, pooled_ratio, slope_spreads
from dpdash.store.plans import Head
from dpdash.sweeps.live import SweepSnapshot
from dpdash.ui.parts.button import button
from dpdash.ui.parts.controls import number_input, selection
from dpdash.ui.parts.header import show_part, show_title
from dpdash.ui.parts.labels import distinct
from dpdash.ui.parts.names import sweep_title
from dpdash.ui.parts.notices import escaped, show_problem_or_freeze, show_warnings
from dpdash.ui.parts.refreshing import refreshing
from dpdash.ui.session.clock import written_time
from dpdash.ui.session.inputs import SWEEP, Input
from dpdash.ui.session.language import _, current, error_text, number
from dpdash.ui.session.state import OPEN_KEY
from dpdash.ui.sweep.charts import choose_map, show_charts, show_map
from dpdash.ui.sweep.controls import show_controls, wanted_plan
from dpdash.ui.train import commands
from dpdash.web.process import owner, run_service, sweep_service

REFRESH_SECONDS: Final = 1.0
TRAIN_PAGE: Final = PAGES / "train.py"
TRIAL: Final = Input("sweep_trial", 1)
MOST_ROWS: Final = 12
WIDE: Final = " class='dpdash-wide'"
"""Of a cell that a phone has no room for."""
NO_SWEEP: Final = "no-sweep"
COUNTED: Final = {
    TrialStatus.PRUNED: (N_("1 stopped early"), N_("{count} stopped early")),
    TrialStatus.DIVERGED: (N_("1 diverged"), N_("{count} diverged")),
    TrialStatus.NOT_REACHED: (N_("1 not reached"), N_("{count} not reached")),
    TrialStatus.FAILED: (N_("1 failed"), N_("{count} failed")),
}
"""Trials that have no value, one and several: other languages have forms for that."""


def show_sweep() -> None:
    """Show the page, refreshed on a timer only while the sweep that it shows searches, or one's own."""
    _open_chosen()
    mine = sweep_service().searching(owner())
    around = _around(mine)  # before what it tells of is drawn: a sweep may end meanwhile
    show_title(_("Sweep: where the good settings are"))
    _show_notices()
    show_controls(mine)
    sweeps = sweep_service().sweeps()
    _choose_sweep(sweeps)
    shown = _shown()
    if shown is None:
        _show_wanted()
        return
    choose_map(shown.sweep)
    is_moving = shown.is_live or mine is not None
    drawn = (_sweep_drawn(shown), False, around)
    refreshing(_shown, _show_sweep, _frame, drawn, REFRESH_SECONDS if is_moving else None)
    _choose_trial(shown.sweep)


def _open_chosen() -> None:
    """Turn to the Train page where a trial was chosen: a callback cannot."""
    if st.session_state.pop(OPEN_KEY, False):
        st.switch_page(TRAIN_PAGE)


def _frame(shown: SweepSnapshot | None) -> tuple[object, ...]:
    """What the page has drawn; when it changes, the whole page is run again."""
    return _sweep_drawn(shown), OPEN_KEY in st.session_state, _around(sweep_service().searching(owner()))


def _sweep_drawn(shown: SweepSnapshot | None) -> tuple[str, bool] | None:
    return None if shown is None else (shown.sweep.sweep_id, shown.is_live)


def _around(mine: SweepSnapshot | None) -> tuple[object, ...]:
    """What the page has drawn around the sweep that it shows."""
    steered = None if mine is None else (mine.sweep.sweep_id, mine.is_stopping)
    return run_service().room.is_frozen, steered, str(sweep_service().problem)


def _show_sweep(shown: SweepSnapshot | None) -> None:
    assert shown is not None, "without a sweep the page draws none"
    _show_progress(shown)
    _show_verdict(shown.sweep)
    show_charts(shown.sweep)
    st.caption(
        _(
            "What matters: the share of the variance of the trials' ranks that each setting explains by itself, "
            "less what chance would (the main effect of functional ANOVA, Hutter et al. 2014, on ranks), and what "
            "the other settings by themselves leave to it (its total effect). Trials as good as the best share "
            "its rank; those without a value count as the worst."
        )
    )
    _show_table(shown.sweep)


def _shown() -> SweepSnapshot | None:
    return sweep_service().snapshot(SWEEP.get()) if SWEEP.get() else None


def _show_wanted() -> None:
    """Show what a first sweep will fill."""
    try:
        plan = wanted_plan()
    except ConfigError as error:
        st.markdown(escaped(error_text(error)))
        return
    text = _(
        "No sweep yet. Start trains {trials} runs of {epochs} epochs, and each becomes a mark here. All of them "
        "are kept, and can be opened in Train."
    )
    st.markdown(text.format(trials=number(plan.num_trials), epochs=number(plan.base.epochs)))
    show_map(Sweep(NO_SWEEP, owner(), 0.0, plan))


def _show_notices() -> None:
    show_problem_or_freeze(_("The teacher has paused new runs. A sweep goes on when they are allowed again."))
    not_saved: StoreError | None = sweep_service().problem or run_service().runs.health.problem
    if not_saved is not None:
        show_warnings([not_saved])


def _choose_sweep(sweeps: tuple[Head[SweepPlan], ...]) -> None:
    """The sweep to show: the one that was started or chosen last, else one's own newest, else the newest."""
    if not sweeps:
        return
    names = distinct({sweep.value_id: _label(sweep) for sweep in sweeps})
    if SWEEP.get() not in names:
        own = (sweep for sweep in sweeps if sweep.owner == owner())
        SWEEP.put(next(own, sweeps[0]).value_id)
    selection(SWEEP, _("Sweeps"), names, help=_("Every sweep that was started here, the newest first."))


def _label(sweep: Head[SweepPlan]) -> str:
    plan = sweep.plan
    return _("{time} · {settings} · {objective} · {trials} trials").format(
        time=written_time(sweep.created_at),
        settings=sweep_title(plan),
        objective=current().name(plan.objective),
        trials=number(plan.num_trials),
    )


def _show_progress(shown: SweepSnapshot) -> None:
    sweep = shown.sweep
    done, wanted = sweep.num_over, sweep.plan.num_trials
    text = _("{done} of {wanted} trials").format(done=number(done), wanted=number(wanted))
    for status, (one, several) in COUNTED.items():
        if count := sweep.count(status):
            text = f"{text} · {_(one if count == 1 else several).format(count=number(count))}"
    if shown.is_stopping:
        text = _("{progress} · ending").format(progress=text)
    st.progress(min(1.0, done / wanted), text)
    with st.container(key="sweep_state"):  # always there, so that what follows keeps its place
        _show_state(shown)


def _show_state(shown: SweepSnapshot) -> None:
    sweep = shown.sweep
    if sweep.status is SweepStatus.FAILED:
        st.error(escaped(_("The sweep ended early: {message}").format(message=_(sweep.message))))
    elif sweep.status is SweepStatus.STOPPED:
        st.info(_("Stopped. What was found is kept."))
    elif sweep.status is SweepStatus.STOPPED_BY_TEACHER:
        st.info(_("Stopped by the teacher. What was found is kept."))
    elif sweep.status is SweepStatus.SEARCHING and not shown.is_live:
        st.warning(
            _("This sweep was interrupted, or another process goes on with it. A server that starts continues it.")
        )
    elif shown.waiting_for is not None:
        st.info(escaped(_("Waiting. {reason}").format(reason=error_text(shown.waiting_for))))


def _show_verdict(sweep: Sweep) -> None:
    best, objective = sweep.best, current().name(sweep.plan.objective)
    with st.container(key="sweep_verdict"):
        if best is None or best.value is None:
            st.markdown(escaped(_("No trial has a value yet.")))
            return
        pooled = pooled_ratio(slope_spreads(sweep))
        if pooled is None:
            text = _("Best: trial {trial}, with {settings}. Its {objective} is {value}.").format(
                trial=number(best.number + 1),
                settings=_values_text(sweep, best),
                objective=objective,
                value=number(best.value),
            )
            num_equal = len(as_good_as_the_best(sweep))
            if num_equal > 1:
                text = _("{best} {trials} trials are as good as the best: what sets them apart is chance.").format(
                    best=text, trials=number(num_equal)
                )
        else:
            text = _(
                "Over the seeds, the slopes scatter {ratio} times as far as the formula says; so many seeds leave "
                "an error of ± {error} in that."
            ).format(ratio=number(pooled[0]), error=number(pooled[1], 2))
        st.markdown(escaped(text))


def _values_text(sweep: Sweep, trial: Trial) -> str:
    return ", ".join(current().named(*pair) for pair in zip(sweep.plan.settings, trial.values, strict=True))


def _show_table(sweep: Sweep) -> None:
    """The best trials, and after them the latest of those without a value."""
    ranked = sorted(
        sweep.trials,
        key=lambda trial: (trial.value is None, trial.value or 0.0, -trial.number if trial.value is None else 0),
    )
    columns = (
        ("", _("Trial")),
        *(("", current().title(setting)) for setting in sweep.plan.settings),
        ("", current().name(sweep.plan.objective)),
        (WIDE, _("Slope")),
        (WIDE, _("Epochs")),
        ("", _("Status")),
    )
    head = "".join(f"<th scope='col'{wide}>{html.escape(column)}</th>" for wide, column in columns)
    body = "".join(_row(trial) for trial in ranked[:MOST_ROWS])
    show_part(_("The best trials"))
    st.html(f"<table class='dpdash-gradients'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _row(trial: Trial) -> str:
    cells = (
        *(("", current().value(value)) for value in trial.values),
        ("", "–" if trial.value is None else number(trial.value)),
        (WIDE, "–" if trial.slope is None else number(trial.slope, 5)),
        (WIDE, number(trial.num_epochs)),
        ("", current().name(trial.status)),
    )
    named_row = f"<th scope='row'>{html.escape(number(trial.number + 1))}</th>"
    return f"<tr>{named_row}{''.join(f'<td{wide}>{html.escape(cell)}</td>' for wide, cell in cells)}</tr>"


def _choose_trial(sweep: Sweep) -> None:
    """Open a trial by its number: the way that needs neither a pointer nor a chart."""
    most = sweep.plan.num_trials
    with st.container(horizontal=True, vertical_alignment="bottom", key="sweep_open_row"):
        number_input(
            TRIAL,
            _("Trial"),
            1,
            most,
            width=160,
            help=_("A click on a trial in a chart opens it too."),
        )
        button(
            _("Open in Train"),
            "sweep_open",
            "open_in_new",
            lambda: commands.open_trial(sweep.sweep_id, lambda: _run_of_number(sweep.sweep_id)),
            help=_("Show the run of this trial on the Train page, with its settings in the sidebar."),
        )
        button(
            _("Open the best"),
            "sweep_open_best",
            "star",
            lambda: commands.open_trial(sweep.sweep_id, lambda: _run_of_best(sweep.sweep_id)),
        )


def _run_of_number(sweep_id: str) -> str | None:
    shown, wanted = sweep_service().snapshot(sweep_id), TRIAL.get()
    trials = () if shown is None else shown.sweep.trials
    return next((trial.run_id for trial in trials if trial.number + 1 == wanted), None)


def _run_of_best(sweep_id: str) -> str | None:
    shown = sweep_service().snapshot(sweep_id)
    best = None if shown is None else shown.sweep.best
    return None if best is None else best.run_id
