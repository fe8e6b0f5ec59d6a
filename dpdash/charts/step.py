"""One step, taken apart: its batch cut into shards, its phases on each device, and what each device held."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dpdash.charts.fit import X_RANGE, replica_points, straight_lines, y_range
from dpdash.charts.spec import MARGIN, Figure, Spec, base_layout
from dpdash.core.config import TRUE_INTERCEPT, TRUE_SLOPE
from dpdash.core.steps import Phase, ReplicaStep, StepTrace
from dpdash.core.translations import Language
from dpdash.findings.step import MILLISECONDS, PERCENT, phase_shares

PATTERNS: Final = ("", "/", "\\", "x", "-", "|", "+", ".")
"""A second mark of a phase: no two are told apart by colour alone."""
MAX_NAMED_LANES: Final = 8
"""With more, their numbers stand where there is room for them."""
LEGEND_MARGIN: Final = 164
"""Pixels below a timeline: its legend has four rows, or as many again on a narrow page, which is taller."""
LEGEND_TEXT_SIZE: Final = 12
NOTHING: Final[NDArray[np.float32]] = np.empty(0, dtype=np.float32)
KIB: Final = 1024
MIB: Final = 1024**2
GIB: Final = 1024**3

Coordinates = NDArray[np.float32]


def shards_figure(
    points: Mapping[int, tuple[Coordinates, Coordinates]], num_replicas: int, language: Language
) -> Figure:
    """The samples of one step in the colours and symbols of the fit chart, by the replica that has them.

    `points` are (x, y) by replica; an idle replica has none.
    """
    _ = language.text
    layout = base_layout(_("The batch, cut into shards"), "x", "y", language)
    layout["xaxis"]["range"] = list(X_RANGE)
    layout["yaxis"]["range"] = y_range(np.concatenate([y for _x, y in points.values()]))
    traces = [
        replica_points(*points.get(rank, (NOTHING, NOTHING)), rank, num_replicas, language)
        for rank in range(num_replicas)
    ]
    traces.append(
        straight_lines("true", _("true line y = 3x"), [(TRUE_SLOPE, TRUE_INTERCEPT)], "role:text", 2.5, "dash")
    )
    description = _("Scatter plot of the samples of one step; each colour and symbol is the shard of one replica.")
    return Figure(layout["title"]["text"], description, tuple(traces), layout)


def timeline_figure(trace: StepTrace, title: str, longest_seconds: float, language: Language) -> Figure:
    """What each device did when: a lane for each replica, a bar for each span of a phase.

    `longest_seconds` is the end of the time axis, so that two steps can be compared by the length of their bars.
    """
    _ = language.text
    layout = base_layout(title, _("milliseconds since the step began"), _("replica"), language)
    layout["xaxis"]["range"] = [0, MILLISECONDS * longest_seconds * 1.02]
    num_lanes = len(trace.replicas)
    layout["yaxis"] |= {"range": [num_lanes - 0.5, -0.5], "showgrid": False} | _lane_ticks(num_lanes)
    layout |= {"barmode": "overlay", "bargap": 0.3, "margin": MARGIN | {"b": LEGEND_MARGIN}}
    layout["legend"] |= {"xref": "container", "x": 0.01, "font": {"size": LEGEND_TEXT_SIZE}}
    shares = phase_shares(trace)
    traces = tuple(_phase_bars(trace, phase, share, language) for phase, share in shares.items())
    description = _(
        "Timeline of one step of {milliseconds} ms on {replicas} replicas. Share of each phase: {shares}."
    )
    return Figure(
        title,
        description.format(
            milliseconds=language.number(MILLISECONDS * trace.seconds),
            replicas=num_lanes,
            shares=", ".join(_with_share(phase, share, language) for phase, share in shares.items()),
        ),
        traces,
        layout,
    )


def memory_figure(trace: StepTrace, language: Language) -> Figure:
    """What each device held, got and gave in the step."""
    _ = language.text
    replicas = trace.replicas
    largest = max(
        max(replica.memory_bytes or 0, replica.received_bytes, replica.sent_bytes) for replica in replicas
    )
    size, unit = byte_unit(largest, language)
    layout = base_layout(_("Memory of each device, and bytes moved"), _("replica"), unit, language)
    layout["xaxis"] |= _lane_ticks(len(replicas)) | {"range": [-0.5, len(replicas) - 0.5]}
    layout["yaxis"] |= {"rangemode": "tozero"}
    layout |= {"barmode": "group", "bargap": 0.25}
    bars = (
        ("memory", _("held at most"), [replica.memory_bytes for replica in replicas], "series-1", ""),
        ("received", _("received"), [replica.received_bytes for replica in replicas], "series-2", "/"),
        ("sent", _("sent"), [replica.sent_bytes for replica in replicas], "series-4", "\\"),
    )
    traces = tuple(
        _byte_bars(uid, name, [None if value is None else value / size for value in values], role, pattern, unit)
        for uid, name, values, role, pattern in bars
    )
    description = _(
        "Bar chart of the memory that each of {replicas} devices held, and of the bytes it got and gave."
    )
    return Figure(layout["title"]["text"], description.format(replicas=len(replicas)), traces, layout)


def byte_unit(largest: float, language: Language) -> tuple[int, str]:
    """How many bytes a unit has in which the largest of some numbers is easily read, and its name."""
    _ = language.text
    units = ((GIB, _("GiB")), (MIB, _("MiB")), (KIB, _("KiB")))
    return next(((size, name) for size, name in units if largest >= size), (1, _("bytes")))


def imbalance(replicas: Sequence[ReplicaStep]) -> float | None:
    """How many times as much the first device holds as the fullest of the others; None where that is unknown."""
    first, *others = [replica.memory_bytes for replica in replicas]
    most = max((value for value in others if value is not None), default=0)
    return first / most if first is not None and most else None


def _lane_ticks(num_lanes: int) -> Spec:
    if num_lanes > MAX_NAMED_LANES:
        return {"tickformat": "d"}
    return {"tickvals": list(range(num_lanes)), "ticktext": [str(lane) for lane in range(num_lanes)]}


def _phase_bars(trace: StepTrace, phase: Phase, share: float, language: Language) -> Spec:
    _ = language.text
    spans = [span for span in trace.spans if span.phase is phase]
    index = list(Phase).index(phase)
    return {
        "uid": phase.value,
        "type": "bar",
        "orientation": "h",
        "name": _with_share(phase, share, language),
        "y": [span.lane for span in spans],
        "base": [MILLISECONDS * span.start for span in spans],
        "x": [MILLISECONDS * span.seconds for span in spans],
        "marker": {
            "color": f"role:series-{index + 1}",
            "pattern": {"shape": PATTERNS[index], "fillmode": "overlay", "size": 6, "solidity": 0.25},
        },
        "customdata": [[MILLISECONDS * span.seconds, MILLISECONDS * span.start] for span in spans],
        "hovertemplate": _("{phase}, replica {lane}<br>{length} ms, from {begin} ms").format(
            phase=phase.value,
            lane="%{y}",
            length="%{customdata[0]:.3~g}",
            begin="%{customdata[1]:.3~g}",
        )
        + "<extra></extra>",
    }


def _with_share(phase: Phase, share: float, language: Language) -> str:
    _ = language.text
    return _("{phase} {percent} %").format(phase=phase.value, percent=round(PERCENT * share))


def _byte_bars(uid: str, name: str, values: Sequence[float | None], role: str, pattern: str, unit: str) -> Spec:
    return {
        "uid": uid,
        "type": "bar",
        "name": name,
        "x": list(range(len(values))),
        "y": list(values),
        "marker": {
            "color": f"role:{role}",
            "pattern": {"shape": pattern, "fillmode": "overlay", "size": 6, "solidity": 0.25},
        },
        "hovertemplate": f"{name}: %{{y:.4~g}} {unit}<extra></extra>",
    }
