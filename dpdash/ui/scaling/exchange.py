"""The part of the Scaling page that measures what an exchange of gradients costs on this machine."""

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any, Final

import streamlit as st

from dpdash.charts.exchange import accumulation_figure, buckets_figure, curve_figure
from dpdash.charts.spec import Figure
from dpdash.core.cores import num_cores
from dpdash.core.errors import N_, ConfigError
from dpdash.core.scaling.exchange_study import ExchangePlan, ExchangeStudy
from dpdash.core.translations import Language
from dpdash.findings.scaling.exchange import exchange_curves, in_step
from dpdash.findings.scaling.exchange_verdict import condition_sentences, mark, step_sentences, transfer_sentences
from dpdash.findings.scaling.sentence import Sentence
from dpdash.scaling.exchange_export import as_csv, as_json
from dpdash.scaling.live import ExchangeSnapshot, Snapshot
from dpdash.store.plans import Head
from dpdash.training import catalog
from dpdash.training.hardware import num_gpus
from dpdash.ui.parts.button import button
from dpdash.ui.parts.controls import choice, selection
from dpdash.ui.parts.labels import distinct
from dpdash.ui.parts.live_chart import chart
from dpdash.ui.parts.notices import escaped
from dpdash.ui.parts.refreshing import refreshing
from dpdash.ui.scaling.controls import cancel_button, chosen, show_sliders
from dpdash.ui.scaling.notices import show_downloads, show_progress, who_trains
from dpdash.ui.session.clock import written_time
from dpdash.ui.session.inputs import EXCHANGE, SCALING_VIEW, Input, ScalingView
from dpdash.ui.session.language import _, current, error_text, number, sentence, setting
from dpdash.ui.session.state import NUM_SHARED
from dpdash.ui.train import commands
from dpdash.web.process import run_service, scaling_service

SECONDS: Final = 0.05
"""Of a measurement: hundreds of small exchanges, and of large ones the few that it takes at least."""
LARGE_WIDTH, LARGE_DEPTH = 512, 2
"""A network whose gradient takes longer to exchange than its latency."""
FEWEST_RANKS: Final = 2
NO_STUDY: Final = "no-exchange"


VIEWS: Final = {
    ScalingView.SPEED_UP: N_("More replicas"),
    ScalingView.EXCHANGE: N_("What an exchange costs"),
}


def choose_view() -> ScalingView:
    """Show the switch between what the page measures."""
    names = {view: _(name) for view, name in VIEWS.items()}
    return choice(SCALING_VIEW, _("What is measured"), names, label_visibility="collapsed")


def show_other_measured(measuring: Snapshot[Any] | None, view: ScalingView) -> None:
    """Show what is being measured where that is not what is shown."""
    if measuring is not None:
        is_exchange = isinstance(measuring.study, ExchangeStudy)
        other = ScalingView.EXCHANGE if is_exchange else ScalingView.SPEED_UP
        if other is not view:
            st.info(_("Being measured now: {what}.").format(what=_(VIEWS[other])))


def show_exchange(measuring: Snapshot[Any] | None, refresh_seconds: float) -> None:
    """Show what an exchange costs, refreshed on a timer only while something is measured."""
    service = scaling_service()
    drawn = _exchange_frame(measuring)
    show_sliders(_ranks())
    _show_buttons(measuring)
    studies = service.exchanges()
    _choose_study(studies)
    interval = None if measuring is None else refresh_seconds
    refreshing(service.measuring, _show_study, _exchange_frame, drawn, interval)
    if studies:
        _show_downloads()


def wanted_plan(width: int, depth: int) -> ExchangePlan:
    """What the controls ask for, with a model of their own or another one.

    Raises:
        ConfigError: when there is no such plan.
    """
    return ExchangePlan.parse(
        {
            "replicas": _ranks().get(),
            "samples": chosen("samples"),
            "hidden_width": width,
            "hidden_depth": depth,
            "repeats": chosen("repeats"),
            "seconds": SECONDS,
        }
    )


def _ranks() -> Input[int]:
    """The most ranks: usually as many as there are cores or GPUs, so that none waits for its turn."""
    places = num_gpus() if num_gpus() > 1 else num_cores()
    return Input("exchange_replicas", max(FEWEST_RANKS, min(places, catalog.offer().max_replicas)))


def _exchange_frame(measuring: Snapshot[Any] | None) -> tuple[object, ...]:
    """What the rest of the page has drawn; when it changes, the whole page is run again."""
    room = run_service().room.is_frozen, who_trains()
    return room, None if measuring is None else (measuring.study.study_id, measuring.is_cancelling)


def _show_buttons(measuring: Snapshot[Any] | None) -> None:
    width, depth = chosen("hidden_width"), chosen("hidden_depth")
    is_frozen = run_service().room.is_frozen
    with st.container(horizontal=True, vertical_alignment="center", key="scaling_buttons"):
        if measuring is not None:
            cancel_button(measuring)
        else:
            button(
                _("Start"),
                "exchange_start",
                "play_arrow",
                lambda: commands.start_exchange(lambda: wanted_plan(width, depth)),
                type="primary",
                disabled=is_frozen,
                help=_("Measure exchanges from 4 B to 64 MiB, and steps of this model, in turns."),
            )
            if (width, depth) != (LARGE_WIDTH, LARGE_DEPTH):
                button(
                    _("Start with {width} × {depth}").format(width=LARGE_WIDTH, depth=LARGE_DEPTH),
                    "exchange_large",
                    "experiment",
                    lambda: commands.start_exchange(lambda: wanted_plan(LARGE_WIDTH, LARGE_DEPTH)),
                    disabled=is_frozen,
                    help=_("Measure with a network whose gradient is cut into several buckets."),
                )
        _show_measured(width, depth)


def _show_measured(width: int, depth: int) -> None:
    """Say what is measured: the model with the bytes of its gradient."""
    try:
        plan = wanted_plan(width, depth)
    except ConfigError as error:
        st.markdown(escaped(error_text(error)))
        return
    text = _("Measured: all-reduce of 2 to {replicas} ranks, and {model}, whose gradient has {bytes} bytes.")
    if plan.replicas == 2:
        text = _("Measured: all-reduce of 2 ranks, and {model}, whose gradient has {bytes} bytes.")
    st.markdown(
        text.format(
            replicas=number(plan.replicas), model=current().model(depth, width), bytes=setting(plan.gradient_bytes)
        )
    )


def _choose_study(studies: tuple[Head[ExchangePlan], ...]) -> None:
    """The study to show: the one that was started or chosen last, else the newest."""
    if studies:
        names = distinct({study.value_id: _label(study) for study in studies})
        EXCHANGE.put(selection(EXCHANGE, _("Study, the newest first"), names, label_visibility="collapsed"))


def _label(study: Head[ExchangePlan]) -> str:
    plan = study.plan
    return _("{time} · {replicas} ranks · {samples} samples · {model}").format(
        time=written_time(study.created_at),
        replicas=setting(plan.replicas),
        samples=setting(plan.samples),
        model=current().model(plan.hidden_depth, plan.hidden_width),
    )


def _shown() -> ExchangeSnapshot | None:
    return scaling_service().exchange(EXCHANGE.get()) if EXCHANGE.get() else None


def _show_study(_measuring: Snapshot[Any] | None) -> None:
    shown = _shown()
    show_progress(shown)
    study = None if shown is None else shown.study
    model = chosen("hidden_width"), chosen("hidden_depth")
    study_id = NO_STUDY if study is None else study.study_id
    chart("exchange", study_id, _curve_figures(study, model, current()))
    if study is None:
        return
    _say(transfer_sentences(study, mark(study, *model)))
    figures = _step_figures(study, current())
    if figures:
        chart("exchange-steps", study_id, figures)
    _say((*step_sentences(study), *condition_sentences(study)))


def _say(sentences: Iterable[Sentence]) -> None:
    lines = [f"- {escaped(sentence(one.template, one.values))}" for one in sentences]
    if lines:
        st.markdown("\n".join(lines))


@lru_cache(maxsize=NUM_SHARED)
def _curve_figures(study: ExchangeStudy | None, model: tuple[int, int], language: Language) -> list[Figure]:
    if study is None:
        return [curve_figure((), None, language)]
    return [curve_figure(exchange_curves(study), mark(study, *model), language)]


@lru_cache(maxsize=NUM_SHARED)
def _step_figures(study: ExchangeStudy, language: Language) -> list[Figure]:
    found = in_step(study)
    return [] if found is None else [buckets_figure(found, language), accumulation_figure(found, language)]


def _show_downloads() -> None:
    shown = _shown()
    if shown is None:
        return
    study_id = shown.study.study_id
    found = partial(scaling_service().exchange, study_id)
    show_downloads(
        (
            (f"dpdash-exchange-{study_id}.csv", _("Download the study (CSV)"), partial(_file, found, as_csv)),
            (f"dpdash-exchange-{study_id}.json", _("Download the study (JSON)"), partial(_file, found, as_json)),
        )
    )


def _file(found: Callable[[], ExchangeSnapshot | None], make: Callable[[ExchangeStudy], str]) -> bytes:
    shown = found()
    return b"" if shown is None else make(shown.study).encode()
