"""The charts of a study: speed-up and efficiency, the time of a step, the map."""

from functools import lru_cache
from itertools import chain
from typing import Final

from dpdash.charts.scaling import Bar, Line, efficiency_figure, map_figure, phases_figure, speed_up_figure
from dpdash.charts.spec import Figure
from dpdash.core.config import EngineName
from dpdash.core.errors import N_
from dpdash.core.scaling.curve import Curve
from dpdash.core.scaling.plan import Point, ScalingMode
from dpdash.core.scaling.study import Study
from dpdash.core.steps import Phase
from dpdash.core.translations import Language
from dpdash.findings.scaling.curves import curves, phase_seconds, step_seconds
from dpdash.findings.scaling.fits import fit
from dpdash.ui.parts.live_chart import MAX_PLOTS, chart
from dpdash.ui.session.language import _, current, number
from dpdash.ui.session.state import NUM_SHARED

SHORT_NAMES: Final = {
    EngineName.DATA_PARALLEL: "DataParallel",
    EngineName.CPU_REPLICAS: N_("emulated"),
    EngineName.DDP: "DDP",
}
"""Of the engines, for the label of a bar."""
NO_STUDY: Final = "no-study"
LEAST_REPLICAS: Final = 2


def show_curves(study: Study | None) -> None:
    """Show speed-up and efficiency; without a study, the ideal line alone."""
    chart("scaling", NO_STUDY if study is None else study.study_id, _curve_figures(study, current()))


def show_breakdown(study: Study) -> None:
    """Show what a step's time goes to, and a map where several widths are measured."""
    figures = _breakdown(study, current())
    for first in range(0, len(figures), MAX_PLOTS):
        chart(f"scaling-more-{first}", study.study_id, figures[first : first + MAX_PLOTS])


@lru_cache(maxsize=NUM_SHARED)
def _curve_figures(study: Study | None, language: Language) -> list[Figure]:
    lines, replicas = ([], LEAST_REPLICAS) if study is None else (_lines(study), study.plan.replicas)
    return [speed_up_figure(lines, replicas, language), efficiency_figure(lines, replicas, language)]


@lru_cache(maxsize=NUM_SHARED)
def _breakdown(study: Study, language: Language) -> tuple[Figure, ...]:
    bars = _bars(study)
    figures = [phases_figure(bars, language)] if bars else []
    if study.plan.is_map:
        found = curves(study)
        figures += [
            map_figure(
                language.name(engine), [curve for curve in found if curve.engine is engine], study, language
            )
            for engine in study.plan.engines
            if any(curve.engine is engine for curve in found)
        ]
    return tuple(figures)


def _lines(study: Study) -> list[Line]:
    """A line for each engine, at the widest width: a map shows the others."""
    widest = max(study.plan.hidden_widths)
    return [_line(study, curve) for curve in curves(study) if curve.hidden_width == widest]


def _line(study: Study, curve: Curve) -> Line:
    name = current().name(curve.engine)
    found = fit(curve, study.plan.mode)
    if found is None or not found.describes:
        return Line(name, curve, None, "")
    law = _("Amdahl") if found.mode is ScalingMode.STRONG else _("Gustafson")
    share = number(100 * found.serial_share)
    return Line(name, curve, found.speed_up, _("{law}, {share} % serial").format(law=law, share=share))


def _bars(study: Study) -> list[Bar]:
    """A step of one device, and of each number of replicas of each engine, at the widest width."""
    plan, width = study.plan, max(study.plan.hidden_widths)
    alone = Point(EngineName.SINGLE, 1, width)
    points = chain([alone], (point for point in plan.points if point.hidden_width == width and point != alone))
    found = [bar for point in points if (bar := _bar(study, point, alone)) is not None]
    return found if len(found) > 1 else []


def _bar(study: Study, point: Point, alone: Point) -> Bar | None:
    measured, baseline = study.of(point), study.of(alone)
    if not measured or not baseline:
        return None
    seconds = step_seconds(measured)
    ideal = step_seconds(baseline) / (point.replicas if study.plan.mode is ScalingMode.STRONG else 1)
    phases = phase_seconds(measured)
    if phases:
        parts = {_phase_name(phase): phases.get(phase, 0.0) for phase in Phase}
        parts[_("Python and waiting")] = max(0.0, seconds - sum(phases.values()))
    else:
        parts = {_("split work"): min(ideal, seconds), _("all else"): max(0.0, seconds - ideal)}
    return Bar(_bar_name(study, point), parts)


def _bar_name(study: Study, point: Point) -> str:
    if point.is_baseline:
        return _("one device")
    count = number(point.replicas)
    if len(study.plan.engines) == 1:
        return f"{count}×"
    return f"{count}× {_(SHORT_NAMES[point.engine])}"


def _phase_name(phase: Phase) -> str:
    return phase.value.replace("_", " ")
