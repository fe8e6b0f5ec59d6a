"""The settings, laid out by hand; bounds and help texts come from `RunConfig`."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import streamlit as st

from dpdash.core.config import EngineName, OptimizerName, RunConfig, bounds
from dpdash.core.errors import N_
from dpdash.core.scales import scale
from dpdash.core.settings import num_cores
from dpdash.runs.service import RunSnapshot
from dpdash.training import catalog, hardware
from dpdash.ui.guide.page import guide_help
from dpdash.ui.parts.choice import choice
from dpdash.ui.session.language import _, current, language_switch, number
from dpdash.ui.session.state import ALL_SAMPLES, wanted_settings
from dpdash.ui.train.commands import change_learning_rate
from dpdash.web.process import run_service

NOISES: Final = (*(tenth / 10 for tenth in range(11)), 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)
WIDTHS: Final = tuple(2**power for power in range(13))
BYTES_PER_GIB: Final = 2**30
WAY_KEY: Final = "parallel_way"


class Way(StrEnum):
    """How replicas share the work."""

    DATA_PARALLEL = "data_parallel"
    DDP = "ddp"


WAY_NAMES: Final = {Way.DATA_PARALLEL: N_("DataParallel"), Way.DDP: N_("DDP")}


def sidebar(shown: RunSnapshot | None) -> None:
    """Show every setting; those that differ from a run that still trains are marked for the next run."""
    later = _settings_for_next_run(shown)
    with st.sidebar:
        st.subheader(_("Data"))
        _decades("samples", later)
        _choices("noise", NOISES, later)
        low, high = bounds("seed")
        st.number_input(min_value=int(low), max_value=int(high), step=1, **_labels("seed", later))
        st.subheader(_("Training"))
        _decades("epochs", later)
        _decades("learning_rate", later, on_change=lambda: change_learning_rate(shown))
        with st.expander(_("More")):
            _more(later)
        st.subheader(_("Devices"))
        _devices(later)
        language_switch()


def _more(later: set[str]) -> None:
    optimizers = {name: current().name(name) for name in OptimizerName}
    st.selectbox(
        options=list(OptimizerName),
        format_func=optimizers.__getitem__,
        **_labels("optimizer", later),
    )
    low, high = run_service().limits.bounds("global_batch_size")
    sizes = [int(size) for size in scale(low, high) if size < st.session_state["samples"]]
    chosen = st.session_state["global_batch_size"]
    if chosen != ALL_SAMPLES:
        if chosen >= st.session_state["samples"]:
            st.session_state["global_batch_size"] = ALL_SAMPLES
        elif chosen not in sizes:
            sizes = sorted([*sizes, chosen])
    write, all_samples = current().setting, _("all")
    st.select_slider(
        options=[*sizes, ALL_SAMPLES],
        format_func=lambda size: all_samples if size == ALL_SAMPLES else write(size),
        **_labels("global_batch_size", later),
    )
    low, high = bounds("hidden_depth")
    st.slider(min_value=int(low), max_value=int(high), **_labels("hidden_depth", later))
    _choices("hidden_width", WIDTHS, later)


def _devices(later: set[str]) -> None:
    offer = catalog.offer()
    name = _("GPUs to use (CPU replicas)") if offer.emulated else _("GPUs to use")
    highest = max(offer.max_replicas, st.session_state["replicas"])
    labels = _labels("replicas", later)
    labels |= {"label": _marked(name, "replicas" in later), "help": f"{labels['help']} {guide_help()}"}
    st.slider(min_value=1, max_value=highest, on_change=_take_engine, **labels)
    if offer.has_ddp:
        _way("engine" in later)
    _badge(EngineName(st.session_state["engine"]), st.session_state["replicas"], offer.num_gpus)
    for device in hardware.devices():
        st.caption(
            _("{device}, {memory} GiB").format(
                device=device.name, memory=number(device.memory_bytes / BYTES_PER_GIB)
            )
        )


def _way(for_next_run: bool) -> None:
    is_ddp = st.session_state["engine"] == EngineName.DDP
    st.session_state[WAY_KEY] = Way.DDP if is_ddp else Way.DATA_PARALLEL
    choice(
        _marked(_("Replicas by"), for_next_run),
        {way: _(name) for way, name in WAY_NAMES.items()},
        WAY_KEY,
        Way.DATA_PARALLEL,
        on_change=_take_engine,
        help=_(
            "DataParallel: one process copies the model to every device in each step. DDP: a process for each "
            "replica, which keeps its copy; only gradients are sent. PyTorch recommends DDP."
        ),
    )


def _badge(engine: EngineName, replicas: int, num_gpus: int) -> None:
    if engine is EngineName.CPU_REPLICAS:
        st.badge(
            _("emulated on CPU"),
            color="orange",
            help=_("Threads stand in for GPUs: the algorithm is DataParallel's own, the speed is not a GPU's."),
        )
    elif engine is not EngineName.DDP or replicas <= num_gpus:
        st.badge(current().name(engine), color="blue")
    elif num_gpus:
        st.badge(
            _("DDP, {replicas} processes share a GPU").format(replicas=number(replicas)),
            color="orange",
            help=_("Processes that share a GPU take turns on it: the algorithm is DDP's own, a speed-up is not."),
        )
    elif replicas <= num_cores():
        st.badge(
            _("DDP on CPU cores"),
            color="blue",
            help=_("A process with one thread for each replica, on cores of their own: real parallelism."),
        )
    else:
        st.badge(
            _("DDP, {replicas} processes on {cores} CPU cores").format(
                replicas=number(replicas), cores=number(num_cores())
            ),
            color="orange",
            help=_("More processes than cores take turns: the algorithm is DDP's own, the speed suffers."),
        )


def _take_engine() -> None:
    wants_ddp = st.session_state.get(WAY_KEY) == Way.DDP
    st.session_state["engine"] = catalog.offer().engine_for(st.session_state["replicas"], wants_ddp)


def _settings_for_next_run(shown: RunSnapshot | None) -> set[str]:
    if shown is None or shown.status.is_over:
        return set()
    changed = set(wanted_settings().changes_from(shown.config))
    return changed - {"learning_rate"}


def _decades(name: str, later: set[str], on_change: Callable[[], None] | None = None) -> None:
    kind = type(RunConfig.model_fields[name].default)
    low, high = run_service().limits.bounds(name)
    _choices(name, tuple(kind(value) for value in sorted({*scale(low, high), high})), later, on_change)


def _choices(
    name: str,
    options: tuple[Any, ...],
    later: set[str],
    on_change: Callable[[], None] | None = None,
) -> None:
    """A slider over given values; a value from a link that is not among them is added."""
    chosen = st.session_state[name]
    st.select_slider(
        options=list(options) if chosen in options else sorted([*options, chosen]),
        format_func=current().setting,
        on_change=on_change or "rerun",
        **_labels(name, later),
    )


def _labels(name: str, later: set[str]) -> dict[str, Any]:
    return {
        "label": _marked(current().title(name), name in later),
        "help": current().help(name),
        "key": name,
        "persist_state": "session",
    }


def _marked(label: str, for_next_run: bool) -> str:
    # Without markdown: a screen reader is given the label letter by letter.
    mark = _("for the next run")
    return f"{label} ({mark})" if for_next_run else label
