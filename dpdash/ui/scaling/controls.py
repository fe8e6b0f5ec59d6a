"""What a study is to measure, laid out by hand, with its buttons."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from dpdash.core.config import EngineName, RunConfig, bounds
from dpdash.core.cores import num_cores
from dpdash.core.errors import ConfigError
from dpdash.core.scales import scale
from dpdash.core.scaling.plan import USUAL_REPEATS, USUAL_SECONDS, ScalingMode, StudyPlan
from dpdash.scaling.live import Snapshot
from dpdash.scaling.service import new_study
from dpdash.training import catalog
from dpdash.training.hardware import MIN_CPU_REPLICAS
from dpdash.ui.parts.button import button
from dpdash.ui.parts.controls import choice, several, slider, steps
from dpdash.ui.parts.notices import escaped
from dpdash.ui.parts.sidebar import WIDTHS
from dpdash.ui.session.inputs import Input
from dpdash.ui.session.language import _, current, error_text, number
from dpdash.ui.session.shown_run import settings_to_begin_with
from dpdash.ui.train import commands
from dpdash.web.process import owner, run_service

MAP_WIDTHS: Final = (8, 32, 128, 512)
MOST_REPEATS: Final = 10
LEAST_SAMPLES: Final = 100
FIELDS: Final = ("samples", "hidden_width", "hidden_depth")
MODE: Final = Input("scaling_mode", ScalingMode.STRONG)


def offered_engines() -> tuple[EngineName, ...]:
    """The engines that this machine can train two replicas with."""
    return tuple(
        name
        for name, engine in catalog.ENGINES.items()
        if name is not EngineName.SINGLE and engine.availability(RunConfig(engine=name, replicas=2)).ok
    )


def show_controls(measuring: Snapshot[Any] | None) -> None:
    """Show what to measure, and Start or Cancel."""
    _choose_engines()
    show_sliders(_input("replicas"))
    is_frozen = run_service().room.is_frozen
    with st.container(horizontal=True, vertical_alignment="center", key="scaling_buttons"):
        if measuring is None:
            button(
                _("Start"),
                "scaling_start",
                "play_arrow",
                lambda: commands.start_study(lambda: wanted_plan((chosen("hidden_width"),))),
                type="primary",
                disabled=is_frozen,
                help=_("Measure 1, 2, … replicas of the chosen engines, one after another, in turns."),
            )
            button(
                _("Map"),
                "scaling_map",
                "grid_on",
                lambda: commands.start_study(lambda: wanted_plan(MAP_WIDTHS)),
                disabled=is_frozen or not chosen("hidden_depth"),
                help=_(
                    "Measure several hidden widths, to see from which on parallelism pays. It takes longer, and "
                    "needs a hidden layer."
                ),
            )
        else:
            cancel_button(measuring)
        _show_measured()


def show_sliders(replicas: Input[int]) -> None:
    """Show how many replicas at most, the model and its samples, and how often everything is measured."""
    if settings_to_begin_with().data is not None:
        st.caption(_("Measured with points around y = 3x: how long a step takes does not depend on the numbers."))
    columns = st.columns(2 + len(FIELDS))
    with columns[0]:
        _replicas(replicas)
    for column, name in zip(columns[1:], FIELDS, strict=False):
        with column:
            _field(name)
    with columns[-1]:
        _repeats()


def cancel_button(measuring: Snapshot[Any]) -> None:
    """Show the button that ends what is being measured."""
    button(
        _("Cancel"),
        "scaling_cancel",
        "stop",
        commands.cancel_study,
        disabled=measuring.study.owner != owner() or measuring.is_cancelling,
        help=_("What is measured so far stays."),
    )


def wanted_plan(widths: Sequence[int]) -> StudyPlan:
    """What the controls ask for.

    Raises:
        ConfigError: when there is no such plan.
    """
    return StudyPlan.parse(
        {
            "engines": tuple(engine for engine in offered_engines() if engine in _engines().get()),
            "mode": MODE.get(),
            "replicas": chosen("replicas"),
            "samples": chosen("samples"),
            "hidden_widths": tuple(widths),
            "hidden_depth": chosen("hidden_depth"),
            "repeats": chosen("repeats"),
            "seconds": USUAL_SECONDS,
        }
    )


def _choose_engines() -> None:
    offered = offered_engines()
    names = {name: current().name(name) for name in offered}
    with st.container(horizontal=True, key="scaling_choices"):
        several(
            _engines(),
            _("Engines"),
            names,
            as_pills=True,
            help=_("Ways to train several replicas; each is compared with one device."),
        )
        choice(
            MODE,
            _("What stays the same"),
            {mode: current().name(mode) for mode in ScalingMode},
            help=_(
                "The global batch, of which each replica then gets a smaller part (strong scaling), or the batch "
                "of a replica, so that the global batch grows with the replicas (weak scaling)."
            ),
        )


def _replicas(owner: Input[int]) -> None:
    most = catalog.offer().max_replicas
    slider(
        owner,
        _("Most replicas"),
        2,
        most,
        help=_("1, 2, … up to so many replicas are measured."),
    )


def _repeats() -> None:
    slider(
        _input("repeats"),
        _("Repeats"),
        1,
        MOST_REPEATS,
        help=_("How often everything is measured. More repeats take longer and make the error bars smaller."),
    )


def _field(name: str) -> None:
    """A slider over a run's setting, with its title and help."""
    steps(_input(name), current().title(name), _options(name), current().setting, help=current().help(name))


def _options(name: str) -> tuple[int, ...]:
    """The values that are offered for a run's setting."""
    if name == "hidden_width":
        return tuple(sorted({*WIDTHS, chosen(name)}))
    if name == "hidden_depth":
        low, high = bounds(name)
        return tuple(range(int(low), int(high) + 1))
    low, high = run_service().limits.bounds(name)
    offered = (int(size) for size in scale(max(low, min(LEAST_SAMPLES, high)), high))
    return tuple(sorted({*offered, chosen(name)}))


def _engines() -> Input[tuple[EngineName, ...]]:
    return Input("scaling_engines", offered_engines())


def _input(name: str) -> Input[int]:
    if name == "replicas":
        return Input(f"scaling_{name}", min(catalog.offer().max_replicas, MIN_CPU_REPLICAS))
    if name == "repeats":
        return Input(f"scaling_{name}", USUAL_REPEATS)
    return Input(f"scaling_{name}", getattr(settings_to_begin_with(), name))


def chosen(name: str) -> int:
    """What a slider stands at."""
    return _input(name).get()


def _show_measured() -> None:
    """Say which model is measured, from where its settings are, and how long that takes."""
    try:
        plan = wanted_plan((chosen("hidden_width"),))
    except ConfigError as error:
        st.caption(escaped(error_text(error)))
        return
    text = _(
        "Measured: {model}, on {samples} samples; both are those of the run in Train until they are set here. "
        "There are {measurements} measurements of {seconds} s each."
    )
    st.caption(
        text.format(
            model=current().model(plan.hidden_depth, chosen("hidden_width")),
            samples=number(plan.samples),
            measurements=number(new_study(plan, owner()).num_wanted),
            seconds=number(plan.seconds),
        )
    )


def show_machine() -> None:
    """Say what a device and a replica are on this machine."""
    if catalog.offer().num_gpus:
        text = _("Replicas are compared with one GPU of this machine, and each has a GPU of its own.")
    else:
        text = _(
            "Replicas have one thread each. They are compared with one core, and with one device whose operations "
            "take the whole CPU. Cores of this machine: {cores}."
        ).format(cores=number(num_cores()))
    st.caption(text)
