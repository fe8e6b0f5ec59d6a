"""What a study is to measure, laid out by hand, with its buttons."""

from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st

from dpdash.core.config import EngineName, RunConfig, bounds
from dpdash.core.scales import scale
from dpdash.core.settings import num_cores
from dpdash.core.study import ScalingMode, StudyPlan
from dpdash.scaling.live import StudySnapshot
from dpdash.training import catalog, hardware
from dpdash.ui.parts.button import button
from dpdash.ui.parts.choice import choice
from dpdash.ui.parts.sidebar import WIDTHS
from dpdash.ui.session.language import _, current, number
from dpdash.ui.train import commands
from dpdash.web.process import owner, run_service

SECONDS: Final = 0.5
"""Of a measurement: long beside what the machine does in between, short enough for a page."""
MAP_WIDTHS: Final = (8, 32, 128, 512)
MOST_REPEATS: Final = 10
USUAL: Final = {"samples": 10_000, "hidden_width": 64, "hidden_depth": 1, "repeats": 3}
LEAST_SAMPLES: Final = 100


def offered_engines() -> tuple[EngineName, ...]:
    """The engines that this machine can train two replicas with."""
    return tuple(
        name
        for name, engine in catalog.ENGINES.items()
        if name is not EngineName.SINGLE and engine.availability(RunConfig(engine=name, replicas=2)).ok
    )


def show_controls(measuring: StudySnapshot | None) -> None:
    """Show what to measure, and Start or Cancel."""
    _choose_engines()
    for column, show in zip(st.columns(5), _SLIDERS, strict=True):
        with column:
            show()
    is_mine = measuring is not None and measuring.study.owner == owner()
    with st.container(horizontal=True, vertical_alignment="center", key="scaling_buttons"):
        if measuring is None:
            button(
                _("Start"),
                "scaling_start",
                "play_arrow",
                lambda: commands.start_study(lambda: wanted_plan((_chosen("hidden_width"),))),
                type="primary",
                help=_("Measure 1, 2, … replicas of the chosen engines, one after another, in turns."),
            )
            button(
                _("Map"),
                "scaling_map",
                "grid_on",
                lambda: commands.start_study(lambda: wanted_plan(MAP_WIDTHS)),
                help=_("Measure several hidden widths, to see from which on parallelism pays. It takes longer."),
            )
        else:
            button(
                _("Cancel"),
                "scaling_cancel",
                "stop",
                commands.cancel_study,
                disabled=not is_mine or measuring.is_cancelling,
                help=_("What is measured so far stays."),
            )


def wanted_plan(widths: Sequence[int]) -> StudyPlan:
    """What the controls ask for.

    Raises:
        ConfigError: when there is no such plan.
    """
    offered = offered_engines()
    return StudyPlan.parse(
        {
            "engines": tuple(engine for engine in offered if engine in st.session_state["scaling_engines"]),
            "mode": ScalingMode(st.session_state["scaling_mode"]),
            "replicas": _chosen("replicas"),
            "samples": _chosen("samples"),
            "hidden_widths": tuple(widths),
            "hidden_depth": _chosen("hidden_depth"),
            "repeats": _chosen("repeats"),
            "seconds": SECONDS,
        }
    )


def _choose_engines() -> None:
    offered = offered_engines()
    st.session_state.setdefault("scaling_engines", list(offered))
    names = {name: current().name(name) for name in offered}
    with st.container(horizontal=True, key="scaling_choices"):
        st.pills(
            _("Engines"),
            list(offered),
            selection_mode="multi",
            key="scaling_engines",
            persist_state="session",
            format_func=lambda name: names[name],
            help=_("Ways to train several replicas; each is compared with one device."),
        )
        choice(
            _("What stays the same"),
            {mode: current().name(mode) for mode in ScalingMode},
            "scaling_mode",
            ScalingMode.STRONG,
            help=_(
                "Strong: the global batch, of which each replica gets a smaller part. Weak: the batch of a "
                "replica, so that the global batch grows with the replicas."
            ),
        )


def _replicas() -> None:
    most = catalog.offer().max_replicas
    st.session_state.setdefault("scaling_replicas", min(most, hardware.MIN_CPU_REPLICAS))
    st.slider(
        _("Most replicas"),
        2,
        most,
        key="scaling_replicas",
        persist_state="session",
        help=_("1, 2, … up to so many replicas are measured."),
    )


def _samples() -> None:
    low, high = run_service().limits.bounds("samples")
    sizes = tuple(int(size) for size in scale(max(low, min(LEAST_SAMPLES, high)), high))
    _field("samples", sizes)


def _width() -> None:
    _field("hidden_width", WIDTHS)


def _depth() -> None:
    low, high = bounds("hidden_depth")
    _field("hidden_depth", tuple(range(int(low), int(high) + 1)))


def _repeats() -> None:
    st.session_state.setdefault("scaling_repeats", USUAL["repeats"])
    st.slider(
        _("Repeats"),
        1,
        MOST_REPEATS,
        key="scaling_repeats",
        persist_state="session",
        help=_("How often everything is measured. More repeats take longer and make the error bars smaller."),
    )


_SLIDERS: Final[tuple[Callable[[], None], ...]] = (_replicas, _samples, _width, _depth, _repeats)


def _field(name: str, options: tuple[int, ...]) -> None:
    """A slider over a run's setting, with its title and help."""
    key = f"scaling_{name}"
    if st.session_state.get(key) not in options:
        st.session_state[key] = min(options, key=lambda value: abs(value - USUAL[name]))
    st.select_slider(
        current().title(name),
        options,
        key=key,
        persist_state="session",
        format_func=current().setting,
        help=current().help(name),
    )


def _chosen(name: str) -> int:
    value: int = st.session_state[f"scaling_{name}"]
    return value


def show_machine() -> None:
    """Say what a device and a replica are on this machine."""
    offer = catalog.offer()
    if offer.num_gpus >= 2:
        text = _("One device is one GPU of this machine, and each replica has a GPU of its own.")
    else:
        text = _(
            "One device is one core of this CPU, and each replica has one thread. Cores of this machine: {cores}."
        ).format(cores=number(num_cores()))
    st.markdown(text)
