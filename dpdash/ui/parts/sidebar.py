"""The settings, laid out by hand; bounds and help texts come from `RunConfig`."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import streamlit as st

from dpdash.core.config import EngineName, OptimizerName, bounds
from dpdash.core.cores import num_cores
from dpdash.core.errors import N_
from dpdash.core.scales import scale
from dpdash.runs.service import RunSnapshot
from dpdash.training import catalog, hardware
from dpdash.ui.guide.page import guide_help
from dpdash.ui.parts.button import button
from dpdash.ui.parts.controls import choice, nothing, number_input, selection, several, slider, steps
from dpdash.ui.parts.own_data import own_data, why_fixed
from dpdash.ui.session.batch_scope import (
    BatchScope,
    ReplicaBatch,
    Scope,
    batch_size,
    change_with_batch,
    rule_rate,
)
from dpdash.ui.session.inputs import ALL_SAMPLES, Setting
from dpdash.ui.session.language import LANGUAGE, _, current, languages, number
from dpdash.ui.session.state import change_settings, wanted_settings
from dpdash.ui.train.commands import change_learning_rate, take_rule
from dpdash.web.process import run_service

NOISES: Final = (*(tenth / 10 for tenth in range(11)), 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)
WIDTHS: Final = tuple(2**power for power in range(13))
WARMUPS: Final = (0, 1, 2, 3, 5, 10, 20, 30, 50, 100)
BUCKETS: Final = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 100.0)
MICRO_BATCHES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)
BYTES_PER_GIB: Final = 2**30


class Way(StrEnum):
    """How replicas share the work."""

    DATA_PARALLEL = "data_parallel"
    DDP = "ddp"


SCOPE_NAMES: Final = {Scope.ALL: N_("for all"), Scope.EACH: N_("for each replica")}
WAY_NAMES: Final = {Way.DATA_PARALLEL: N_("DataParallel"), Way.DDP: N_("DDP")}


class Replicas:
    """How many replicas train, of which the engine follows."""

    name = "replicas"

    def get(self) -> int:
        """The replicas of the next run."""
        return wanted_settings().replicas

    def put(self, value: int) -> None:
        """Let so many train."""
        _take_engine(value, wants_ddp=wanted_settings().engine is EngineName.DDP)


class Gpus:
    """Which GPUs train, a replica on each; none for the first ones, as many as there are replicas."""

    name = "devices"

    def get(self) -> tuple[int, ...]:
        """Those that the next run names."""
        return wanted_settings().devices or ()

    def put(self, value: tuple[int, ...]) -> None:
        """Let these train."""
        settings = wanted_settings()
        replicas = len(value) or settings.replicas
        _take_engine(replicas, wants_ddp=settings.engine is EngineName.DDP)
        change_settings({"devices": value or None})


class ParallelWay:
    """How replicas share the work: the engine, where there is a choice of it."""

    name = "parallel_way"

    def get(self) -> Way:
        """The way of the next run."""
        return Way.DDP if wanted_settings().engine is EngineName.DDP else Way.DATA_PARALLEL

    def put(self, value: Way) -> None:
        """Let them share it in this way."""
        _take_engine(wanted_settings().replicas, wants_ddp=value is Way.DDP)


def sidebar(shown: RunSnapshot | None) -> None:
    """Show every setting; those that differ from a run that still trains are marked for the next run."""
    later = _settings_for_next_run(shown)
    with st.sidebar:
        st.subheader(_("Data"))
        fixed = why_fixed(wanted_settings().data)
        _decades("samples", later, fixed=fixed)
        _choices("noise", NOISES, later, fixed=fixed)
        own_data()
        low, high = bounds("seed")
        number_input(Setting("seed"), **_labels("seed", later), low=int(low), high=int(high))
        st.subheader(_("Training"))
        _decades("epochs", later)
        _decades("learning_rate", later, then=change_learning_rate)
        if BatchScope().get() is Scope.EACH:
            _rule()
        with st.expander(_("More")):
            _more(later)
        st.subheader(_("Devices"))
        _devices(later)
        selection(LANGUAGE, _("Language"), languages(), help=_("Language of the page and of its numbers."))


def _more(later: set[str]) -> None:
    optimizers = {name: current().name(name) for name in OptimizerName}
    selection(Setting("optimizer"), **_labels("optimizer", later), names=optimizers)
    _batch(later)
    _choices("warmup_epochs", WARMUPS, later)
    low, high = bounds("hidden_depth")
    slider(Setting("hidden_depth"), **_labels("hidden_depth", later), low=int(low), high=int(high))
    _choices("hidden_width", WIDTHS, later)


def _batch(later: set[str]) -> None:
    scope = choice(
        BatchScope(),
        _("Batch size"),
        {scope: _(name) for scope, name in SCOPE_NAMES.items()},
        help=_(
            "For all: the global batch stays as replicas are added, and each gets a smaller shard. For each "
            "replica: the global batch grows with them."
        ),
    )
    low, high = run_service().limits.bounds("global_batch_size")
    settings, write, all_samples = wanted_settings(), current().setting, _("all")
    sizes = {int(size) for size in scale(low, high) if size < settings.samples}
    if scope is Scope.EACH:
        each = ReplicaBatch().get()
        steps(
            ReplicaBatch(),
            _marked(_("Samples for each replica"), "global_batch_size" in later),
            sorted({size for size in sizes if size * settings.replicas <= settings.samples} | {each}),
            write,
            help=_(
                "Samples of one update on each replica. The global batch is as many times the replicas: {size}."
            ).format(size=write(batch_size(settings))),
        )
        return
    own = set() if settings.global_batch_size is None else {settings.global_batch_size}
    steps(
        Setting("global_batch_size"),
        **_labels("global_batch_size", later),
        values=[*sorted(sizes | own), ALL_SAMPLES],
        write=lambda size: all_samples if size == ALL_SAMPLES else write(size),
    )


def _rule() -> None:
    """The learning rate that goes with the batch, beside the one that is chosen."""
    settings, rate = wanted_settings(), rule_rate()
    write = current().setting
    st.caption(
        _("Linear scaling rule: {rate} for a global batch of {size}.").format(
            rate=write(rate), size=write(batch_size(settings))
        )
    )
    if rate != settings.learning_rate:
        button(
            _("Set learning rate {rate}").format(rate=write(rate)),
            "take_rule",
            "tune",
            take_rule,
            help=_(
                "A batch that is k times as large wants k times the learning rate: counted from the rate that was "
                "set last and the batch it was set for. It holds up to some batch size, and best after a warm-up."
            ),
        )


def _exchange(later: set[str]) -> None:
    """What DDP alone has: how its ranks exchange gradients."""
    write, own = current().setting, _("torch's own")
    chosen = wanted_settings().bucket_cap_mb
    steps(
        Setting("bucket_cap_mb"),
        _marked(_("Bucket size, MiB"), "bucket_cap_mb" in later),
        values=[ALL_SAMPLES, *sorted({*BUCKETS, *([] if chosen is None else [chosen])})],
        write=lambda size: own if size == ALL_SAMPLES else write(size),
        help=current().help("bucket_cap_mb"),
    )
    _choices("accumulation_steps", MICRO_BATCHES, later)


def _devices(later: set[str]) -> None:
    offer, settings = catalog.offer(), wanted_settings()
    name = _("GPUs to use (CPU replicas)") if offer.emulated else _("GPUs to use")
    slider(
        Replicas(),
        _marked(name, "replicas" in later),
        1,
        max(offer.max_replicas, settings.replicas),
        help=f"{current().help('replicas')} {guide_help()}",
    )
    if not offer.emulated:
        # The number first: of a long name the list shows how it begins.
        gpus = {gpu.index: f"{gpu.index}: {gpu.name}" for gpu in hardware.devices() if gpu.kind == "cuda"}
        label = _marked(_("Which GPUs"), "devices" in later)
        several(Gpus(), label, gpus, help=current().help("devices"), placeholder=_("the first ones"))
    if offer.has_ddp:
        _way("engine" in later)
    if settings.engine is EngineName.DDP:
        with st.expander(_("Exchange of gradients")):
            _exchange(later)
    _badge(settings.engine, settings.replicas, offer.num_gpus)
    for load in hardware.load():
        st.caption(_device(load, with_load=not offer.emulated))


def _device(load: hardware.DeviceLoad, *, with_load: bool) -> str:
    """A device with its memory, and where GPUs can be chosen, what others take of it."""
    memory = number(load.device.memory_bytes / BYTES_PER_GIB)
    if not with_load or load.memory_used_bytes is None or load.utilization is None:
        return _("{device}, {memory} GiB").format(device=load.device.name, memory=memory)
    return _("{device}, {used} of {memory} GiB taken, {busy} % busy").format(
        device=load.device.name,
        used=number(load.memory_used_bytes / BYTES_PER_GIB),
        memory=memory,
        busy=number(round(100 * load.utilization)),
    )


def _way(for_next_run: bool) -> None:
    choice(
        ParallelWay(),
        _marked(_("Replicas by"), for_next_run),
        {way: _(name) for way, name in WAY_NAMES.items()},
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


def _take_engine(replicas: int, *, wants_ddp: bool) -> None:
    engine = catalog.offer().engine_for(replicas, wants_ddp)
    change_with_batch({"replicas": replicas, "engine": engine, "devices": None})


def _settings_for_next_run(shown: RunSnapshot | None) -> set[str]:
    if shown is None or shown.status.is_over:
        return set()
    changed = set(wanted_settings().changes_from(shown.config))
    return changed - {"learning_rate"}


def _decades(name: str, later: set[str], then: Callable[[], None] = nothing, fixed: str | None = None) -> None:
    low, high = run_service().limits.bounds(name)
    kind = Setting(name).kind
    _choices(name, tuple(kind(value) for value in sorted({*scale(low, high), high})), later, then, fixed)


def _choices(
    name: str,
    options: tuple[Any, ...],
    later: set[str],
    then: Callable[[], None] = nothing,
    fixed: str | None = None,
) -> None:
    """A slider over given values; one from a link that is not among them is added. `fixed` says why it is off."""
    values = sorted({*options, Setting(name).get()})
    labels = _labels(name, later) | ({"help": fixed, "disabled": True} if fixed else {})
    steps(Setting(name), **labels, values=values, write=current().setting, then=then)


def _labels(name: str, later: set[str]) -> dict[str, Any]:
    return {"label": _marked(current().title(name), name in later), "help": current().help(name)}


def _marked(label: str, for_next_run: bool) -> str:
    # Without markdown: a screen reader is given the label letter by letter.
    mark = _("for the next run")
    return f"{label} ({mark})" if for_next_run else label
