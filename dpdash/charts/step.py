"""One step, taken apart: its batch cut into shards, its phases on each device, and what each device held."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dpdash.charts.fit import (
    replica_color,
    replica_points,
    replica_symbol,
    straight_lines,
    x_range,
    y_range,
)
from dpdash.charts.spec import COMPACT_MARGIN, SMALL_TEXT_SIZE, Figure, Spec, axis, base_layout, compact_layout
from dpdash.core.config import RunConfig
from dpdash.core.steps import Phase, PhaseTime, Quartiles, ReplicaStep, StepTrace
from dpdash.core.translations import Language
from dpdash.findings.step import MILLISECONDS, PERCENT, phase_shares

PATTERNS: Final = ("", "/", "\\", "x", "-", "|", "+", ".")
"""A second mark of a phase: no two are told apart by colour alone."""
MAX_NAMED_LANES: Final = 8
"""With more, their numbers stand where there is room for them."""
BATCH_END: Final = 0.17
"""Share of a timeline's width in which the batch is cut; its lanes begin a little further right."""
LANES_BEGIN: Final = 0.19
AXIS_MARGIN: Final = 38
"""Pixels below the lanes, for the numbers and the name of their axis."""
CUT_AT: Final = 0.55
"""Share of that width which the batch itself takes; from there its blocks go to their lanes."""
HALF_A_LANE: Final = 0.35
NOTHING: Final[NDArray[np.float32]] = np.empty(0, dtype=np.float32)
KIB: Final = 1024
MIB: Final = 1024**2
GIB: Final = 1024**3

Coordinates = NDArray[np.float32]


def shards_figure(
    points: Mapping[int, tuple[Coordinates, Coordinates]],
    num_replicas: int,
    language: Language,
    config: RunConfig,
) -> Figure:
    """The samples of one step in the colours and symbols of the fit chart, by the replica that has them.

    `points` are (x, y) by replica; an idle replica has none.
    """
    _ = language.text
    layout = base_layout(_("The batch, cut into shards"), "x", "y", language)
    layout["xaxis"]["range"] = list(x_range(np.concatenate([x for x, _y in points.values()]), config))
    layout["yaxis"]["range"] = y_range(np.concatenate([y for _x, y in points.values()]), config.true_line)
    traces = [
        replica_points(*points.get(rank, (NOTHING, NOTHING)), rank, num_replicas, language)
        for rank in range(num_replicas)
    ]
    if config.true_line is not None:
        traces.append(straight_lines("true", _("true line y = 3x"), [config.true_line], "role:text", 2.5, "dash"))
    description = _("Scatter plot of the samples of one step; each colour and symbol is the shard of one replica.")
    return Figure(layout["title"]["text"], description, tuple(traces), layout)


def timeline_figure(trace: StepTrace, title: str, longest_seconds: float, language: Language) -> Figure:
    """What each device did when: the batch cut into a block for each replica, and the lane that the block goes to.

    `longest_seconds` is the end of the time axis, so that two steps can be compared by the length of their bars.
    """
    _ = language.text
    layout = compact_layout(title, language)
    layout["margin"] = COMPACT_MARGIN | {"b": AXIS_MARGIN}
    layout["xaxis"]["title"] |= {"text": _("milliseconds since the step began"), "standoff": 2}
    layout["xaxis"] |= {"range": [0, MILLISECONDS * longest_seconds * 1.02], "domain": [LANES_BEGIN, 1]}
    layout["xaxis2"] = axis(_("batch of {samples}").format(samples=language.setting(trace.num_samples))) | {
        "domain": [0, BATCH_END],
        "range": [0, 1],
        "showgrid": False,
        "showline": False,
        "showticklabels": False,
        "fixedrange": True,
    }
    # Beside the other axis's title, below its ticks.
    layout["xaxis2"]["title"]["standoff"] = 2 + SMALL_TEXT_SIZE + 4
    num_lanes = len(trace.replicas)
    layout["yaxis"] |= {"range": [num_lanes - 0.5, -0.5], "showgrid": False, "anchor": "x2"} | _lane_ticks(
        num_lanes
    )
    layout["yaxis"]["title"] |= {"text": _("replica"), "standoff": 2}
    layout |= {"barmode": "overlay", "bargap": 1 - 2 * HALF_A_LANE}
    shares = phase_shares(trace)
    traces = (
        *_blocks(trace.replicas, language),
        *(_phase_bars(trace, time, shares[time.phase], language) for time in trace.timed.phases),
        *_entry_marks(trace, language),
    )
    description = _(
        "Timeline of one step of {milliseconds} ms on {replicas} replicas, beside the batch as it is cut for "
        "them. Share of each phase: {shares}."
    )
    return Figure(
        title,
        description.format(
            milliseconds=language.number(MILLISECONDS * trace.timed.traced.median),
            replicas=num_lanes,
            shares=", ".join(with_share(phase, share, language) for phase, share in shares.items()),
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


def with_share(phase: Phase, share: float, language: Language) -> str:
    """A phase and its share of a step."""
    _ = language.text
    return _("{phase} {percent} %").format(phase=phase.value, percent=round(PERCENT * share))


def imbalance(replicas: Sequence[ReplicaStep]) -> float | None:
    """How many times as much the first device holds as the fullest of the others; None where that is unknown."""
    first, *others = [replica.memory_bytes for replica in replicas]
    most = max((value for value in others if value is not None), default=0)
    return first / most if first is not None and most else None


def _lane_ticks(num_lanes: int) -> Spec:
    if num_lanes > MAX_NAMED_LANES:
        return {"tickformat": "d"}
    return {"tickvals": list(range(num_lanes)), "ticktext": [str(lane) for lane in range(num_lanes)]}


def _blocks(replicas: Sequence[ReplicaStep], language: Language) -> list[Spec]:
    """The batch as one bar, and each block of it on its way to its replica's lane; an idle one is empty."""
    _ = language.text
    sizes = [replica.shard_size for replica in replicas]
    cuts = len(sizes) * np.cumsum([0, *sizes]) / max(1, sum(sizes)) - 0.5
    blocks: list[Spec] = []
    for rank, size in enumerate(sizes):
        lane = [rank - HALF_A_LANE, rank + HALF_A_LANE]
        top, bottom = (cuts[rank], cuts[rank + 1]) if size else lane
        begin = 0 if size else CUT_AT
        color = replica_color(rank)
        name = _("replica {rank}").format(rank=rank)
        samples = _("{name}: {samples} samples").format(name=name, samples=language.setting(size))
        blocks.append(
            {
                "uid": f"block-{rank}",
                "type": "scatter",
                "mode": "lines",
                "xaxis": "x2",
                "x": [begin, CUT_AT, 1, 1, CUT_AT, begin, begin],
                "y": [float(y) for y in (top, top, lane[0], lane[1], bottom, bottom, top)],
                "fill": "toself",
                "fillcolor": f"{color}@0.3" if size else "role:background@0",
                "line": {"color": color, "width": 1.5, "dash": "solid" if size else "dot"},
                "hoveron": "fills",
                "hoverinfo": "text",
                "text": samples,
            }
        )
    if len(sizes) <= MAX_NAMED_LANES:
        blocks.append(_block_sizes(sizes, (cuts[:-1] + cuts[1:]) / 2, language))
    return blocks


def _block_sizes(sizes: Sequence[int], middles: NDArray[np.float64], language: Language) -> Spec:
    """How many samples each block has, beside its replica's symbol in the fit chart."""
    ranks = range(len(sizes))
    return {
        "uid": "block-sizes",
        "type": "scatter",
        "mode": "markers+text",
        "xaxis": "x2",
        "x": [0.12 if size else (1 + CUT_AT) / 2 for size in sizes],
        "y": [float(middles[rank]) if sizes[rank] else rank for rank in ranks],
        "marker": {
            "color": [replica_color(rank) for rank in ranks],
            "symbol": [replica_symbol(rank) for rank in ranks],
            "size": 8,
        },
        "text": [language.setting(size) for size in sizes],
        "textposition": "middle right",
        "textfont": {"size": SMALL_TEXT_SIZE, "color": "role:text"},
        "cliponaxis": False,
        "hoverinfo": "skip",
    }


def _phase_bars(trace: StepTrace, time: PhaseTime, share: float, language: Language) -> Spec:
    _ = language.text
    phase = time.phase
    spans = [span for span in trace.spans if span.phase is phase]
    index = list(Phase).index(phase)
    return {
        "uid": phase.value,
        "type": "bar",
        "orientation": "h",
        "name": with_share(phase, share, language),
        "y": [span.lane for span in spans],
        "base": [MILLISECONDS * span.start for span in spans],
        "x": [MILLISECONDS * span.seconds for span in spans],
        "marker": {
            "color": f"role:series-{index + 1}",
            "pattern": {"shape": PATTERNS[index], "fillmode": "overlay", "size": 6, "solidity": 0.25},
        },
        "customdata": [[MILLISECONDS * span.seconds, MILLISECONDS * span.start] for span in spans],
        "hovertemplate": _(
            "{phase}, replica {lane}<br>{length} ms, from {begin} ms<br>median of all steps: {median}"
        ).format(
            phase=phase.value,
            lane="%{y}",
            length="%{customdata[0]:.3~g}",
            begin="%{customdata[1]:.3~g}",
            median=with_spread(time.on_clock, language),
        )
        + "<extra></extra>",
    }


def with_spread(times: Quartiles, language: Language) -> str:
    """A median in milliseconds, and half of what the middle half spreads over."""
    _ = language.text
    return _("{median} ± {spread} ms").format(
        median=language.number(MILLISECONDS * times.median, 2),
        spread=language.number(MILLISECONDS * times.half_width, 1),
    )


def _entry_marks(trace: StepTrace, language: Language) -> list[Spec]:
    """When each rank of DDP entered its first all-reduce: the lanes' bars of backward end together."""
    _ = language.text
    entries = trace.timed.entries
    if not entries:
        return []
    begins = [
        min(span.start for span in trace.spans if span.lane == entry.lane and span.phase is Phase.REDUCE)
        for entry in entries
    ]
    return [
        {
            "uid": "entries",
            "type": "scatter",
            "mode": "markers",
            "x": [MILLISECONDS * begin for begin in begins],
            "y": [entry.lane for entry in entries],
            "marker": {
                "color": "role:background",
                "symbol": "diamond",
                "size": 11,
                "line": {"color": "role:text", "width": 2},
            },
            "cliponaxis": False,
            "customdata": [with_spread(entry.after, language) for entry in entries],
            "hovertemplate": _(
                "replica {lane} enters its first all-reduce<br>{begin} ms after the step began<br>"
                "after backward began, median of all steps: {after}"
            ).format(lane="%{y}", begin="%{x:.3~g}", after="%{customdata}")
            + "<extra></extra>",
        }
    ]


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
