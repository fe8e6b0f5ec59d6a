"""The run's numbers, each beside what it is measured against."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpdash.charts.run import RunView
from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import RunStarted
from dpdash.core.history import HistorySnapshot
from dpdash.core.own_data import OwnDataError
from dpdash.core.translations import Language
from dpdash.findings.beside import of_turns
from dpdash.problem.preview import errors_in_own_units, line_in_own_units
from dpdash.training import catalog
from dpdash.ui.parts.ratios import DIGITS, short_ratios
from dpdash.ui.session.language import _, current, number
from dpdash.ui.session.state import NUM_SHARED

THOUSAND: Final = 1e3
MILLION: Final = 1e6


@dataclass(frozen=True, slots=True)
class Metric:
    """A number, its name, and the target under it."""

    name: str
    value: str
    target: str
    help: str


def metrics_row() -> DeltaGenerator:
    """Room for numbers, in a row that wraps on a narrow page."""
    return st.container(horizontal=True, key="metrics")


def show_metrics(metrics: Iterable[Metric]) -> None:
    """Show the numbers in the row that is open."""
    for metric in metrics:
        st.metric(metric.name, metric.value, metric.target, delta_color="off", delta_arrow="off", help=metric.help)


def metrics(view: RunView) -> list[Metric]:
    """The numbers of one epoch of a run, or of the untrained model; `replicas` is the same for all of them."""
    return _metrics(view, current())


@lru_cache(maxsize=NUM_SHARED)
def _metrics(view: RunView, _spoken: Language) -> list[Metric]:
    slope, intercept = view.line
    loss = view.row.loss if view.row else view.preview.moments.loss_at(slope, intercept)
    if view.config.true_line is None:
        return [*_of_own_data(view, float(loss)), _speed(view.config, view.history)]
    true_slope, true_intercept = view.config.true_line
    return [
        Metric(
            _("Loss"),
            number(float(loss)),
            _("noise floor {floor}").format(floor=number(view.preview.noise_floor)),
            _("Mean squared error over all samples. On average no line gets below the noise floor, noise²."),
        ),
        Metric(
            _("Slope"),
            number(slope),
            _("true {true} ({error})").format(true=number(int(true_slope)), error=signed(slope - true_slope)),
            _("Slope of the fitted line. The data was made with the slope 3."),
        ),
        Metric(
            _("Intercept"),
            number(intercept),
            _("true {true} ({error})").format(
                true=number(int(true_intercept)), error=signed(intercept - true_intercept)
            ),
            _("Where the fitted line meets x = 0. The data was made with 0."),
        ),
        _speed(view.config, view.history),
    ]


def _of_own_data(view: RunView, loss: float) -> list[Metric]:
    """The same of own data, beside the least-squares line and its standard errors, in the units of the file."""
    known = view.preview
    best = known.optimum.slope, known.optimum.intercept
    line, best = (line_in_own_units(view.config, each) or each for each in (view.line, best))
    errors = _errors_in_own_units(view)
    scatter = ["–", "–"] if errors is None else [number(error, 2) for error in errors]
    about = _(
        "In the units of the file. Nobody knows the true line of own data: below is that of least squares "
        "with its "
        "standard error, which training can reach."
    )
    return [
        Metric(
            _("Loss"),
            number(loss),
            _("least squares {loss}").format(loss=number(known.optimum.loss)),
            _(
                "Mean squared error over all samples, of y as it is trained. No line gets below that of "
                "least squares."
            ),
        ),
        *(
            Metric(
                name,
                number(value),
                _("least squares {value} ± {error}").format(value=number(low), error=error),
                about,
            )
            for name, value, low, error in zip((_("Slope"), _("Intercept")), line, best, scatter, strict=True)
        ),
    ]


def _errors_in_own_units(view: RunView) -> tuple[float, float] | None:
    data = view.config.data
    assert data is not None
    try:
        return errors_in_own_units(data)
    except OwnDataError:
        return None


def replicas(view: RunView) -> Metric:
    """How many replicas a run has at work, from its first epoch to its last."""
    config, shard_sizes = view.config, view.preview.shard_sizes
    # What nothing here can train has none at work.
    is_possible = view.history is not None or catalog.engine(config.engine).availability(config).ok
    busy = sum(size > 0 for size in shard_sizes) if is_possible else 0
    return Metric(
        _("Emulated replicas") if config.engine is EngineName.CPU_REPLICAS else _("Replicas at work"),
        _("{busy} of {replicas}").format(busy=number(busy), replicas=number(config.replicas)),
        _("{size} samples each").format(size=number(max(shard_sizes)))
        if len(set(shard_sizes)) == 1
        else _("{low} to {high} samples").format(low=number(min(shard_sizes)), high=number(max(shard_sizes))),
        _("Replicas that get a shard of the batch. With fewer shards than replicas the others stay idle."),
    )


def signed(value: float) -> str:
    """A difference with its sign."""
    return number(value) if value < 0 else f"+{number(value)}"


def _speed(config: RunConfig, history: HistorySnapshot | None) -> Metric:
    name = _("Samples per second")
    help_text = _(
        "Samples trained in a second, without pauses and pacing: over the latest epochs while the run trains, "
        "over all of them once it has ended. Below: how many times as fast a step on the replicas is as the same "
        "step on one core and, where that is another device, on the whole CPU, whose cores all share each "
        "operation; on GPUs, on one GPU. Measured in turns on this machine right before the first epoch."
    )
    rate = history.epochs_per_second if history else None
    if history is None or rate is None:
        return Metric(name, "–", _("not measured yet"), help_text)
    return Metric(name, _large(rate * config.samples), _beside(config, history.started), help_text)


def _beside(config: RunConfig, started: RunStarted | None) -> str:
    if started is None or config.replicas == 1:
        return _("without replicas")
    if started.turns is not None:
        return short_ratios(of_turns(started.turns, config.replicas))
    if not started.one_device_step_seconds or not started.replicas_step_seconds:
        return _("not measured")
    ratio = started.one_device_step_seconds / started.replicas_step_seconds
    return _("{ratio}× 1 device").format(ratio=number(ratio, DIGITS))


def _large(value: float) -> str:
    """A large number in thousands or millions."""
    if value >= MILLION:
        return _("{value} M").format(value=number(value / MILLION))
    if value >= THOUSAND:
        return _("{value} k").format(value=number(value / THOUSAND))
    return number(value)
