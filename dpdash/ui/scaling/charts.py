"""The charts of a study: speed-up, what a step is made of, efficiency, the map."""

from functools import lru_cache
from typing import Final

from dpdash.charts.scaling import Baseline, Line, efficiency_figure, map_figure, speed_up_figure
from dpdash.charts.spec import Figure
from dpdash.charts.waterfall import waterfall_figure
from dpdash.core.config import EngineName
from dpdash.core.scaling.curve import Curve
from dpdash.core.scaling.plan import ScalingMode
from dpdash.core.scaling.study import Study
from dpdash.core.scaling.waterfall import Device, Waterfall
from dpdash.core.translations import Language
from dpdash.findings.scaling.curves import curves
from dpdash.findings.scaling.fits import fit
from dpdash.findings.scaling.parts import waterfalls
from dpdash.training import catalog
from dpdash.ui.parts.live_chart import MAX_PLOTS, chart
from dpdash.ui.session.language import _, current, number
from dpdash.ui.session.state import NUM_SHARED

NO_STUDY: Final = "no-study"
LEAST_REPLICAS: Final = 2


def show_curves(study: Study | None, engine: EngineName, width: int) -> None:
    """Show speed-up and the time of a step of an engine; without a study, the ideal line alone.

    Of a study that took no causes away, the efficiency stands where the time of a step would.
    """
    run = NO_STUDY if study is None else f"{study.study_id}-{engine}-{width}"
    chart("scaling", run, _first_figures(study, engine, width, current()))


def show_more(study: Study, width: int) -> None:
    """Show the efficiency, and a map where several widths are measured."""
    figures = _more_figures(study, width, current())
    for first in range(0, len(figures), MAX_PLOTS):
        chart(f"scaling-more-{first}", f"{study.study_id}-{width}", figures[first : first + MAX_PLOTS])


def steps_of(study: Study, engine: EngineName, width: int) -> tuple[Waterfall, ...]:
    """The waterfalls of an engine at a width, in the order of their replicas."""
    return tuple(one for one in waterfalls(study) if (one.engine, one.hidden_width) == (engine, width))


def one_device() -> Device:
    """What replicas of this machine are compared with."""
    return Device.ONE_GPU if catalog.offer().num_gpus else Device.ONE_CORE


@lru_cache(maxsize=NUM_SHARED)
def _first_figures(study: Study | None, engine: EngineName, width: int, language: Language) -> list[Figure]:
    if study is None:
        return [
            speed_up_figure([], LEAST_REPLICAS, Baseline(one_device()), language),
            waterfall_figure((), language),
        ]
    lines = _lines(study, width)
    steps = steps_of(study, engine, width)
    if not steps and study.status.is_over:
        beside = efficiency_figure(lines, study.plan.replicas, language)
    else:
        beside = waterfall_figure(steps, language)
    whole = steps[0].whole_cpu if steps else None
    baseline = Baseline(
        study.device, None if whole is None else steps[0].one_device.nanoseconds / whole.nanoseconds
    )
    return [speed_up_figure(lines, study.plan.replicas, baseline, language), beside]


@lru_cache(maxsize=NUM_SHARED)
def _more_figures(study: Study, width: int, language: Language) -> tuple[Figure, ...]:
    found = curves(study)
    figures = [efficiency_figure(_lines(study, width), study.plan.replicas, language)]
    if not study.plan.is_map:
        return tuple(figures)
    maps = [
        map_figure(language.name(engine), [curve for curve in found if curve.engine is engine], study, language)
        for engine in study.plan.engines
        if any(curve.engine is engine for curve in found)
    ]
    return tuple(maps + figures)


def _baseline(study: Study, steps: tuple[Waterfall, ...]) -> Baseline:
    cpu = steps[0].whole_cpu if steps else None
    return Baseline(study.device, None if cpu is None else steps[0].one_device.nanoseconds / cpu.nanoseconds)


def _lines(study: Study, width: int) -> list[Line]:
    """A line for each engine, at a width: a map shows the others."""
    return [_line(study, curve) for curve in curves(study) if curve.hidden_width == width]


def _line(study: Study, curve: Curve) -> Line:
    name = current().name(curve.engine)
    found = fit(curve, study.plan.mode)
    if found is None or not found.describes:
        return Line(name, curve, None, "")
    law = _("Amdahl") if found.mode is ScalingMode.STRONG else _("Gustafson")
    share = number(100 * found.serial_share)
    return Line(name, curve, found.speed_up, _("{law}, {share} % serial").format(law=law, share=share))
