"""What an exchange costs by its size, what buckets hide of it in a step, and what accumulation saves."""

from collections.abc import Mapping, Sequence
from typing import Final

from dpdash.charts.spec import Figure, Spec, base_layout
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.gradient import MIB
from dpdash.core.scaling.waterfall import Duration
from dpdash.core.translations import Language
from dpdash.findings.scaling.exchange import Buckets, ExchangeCurve, ExchangeInStep
from dpdash.findings.scaling.exchange_verdict import Mark

SYMBOLS: Final[Mapping[ExchangeWay, str]] = {
    ExchangeWay.ALL_REDUCE: "circle",
    ExchangeWay.RING: "diamond",
    ExchangeWay.NAIVE: "square",
}
RING_ROLE: Final = "series-3"
NAIVE_ROLE: Final = "series-4"
MARKED_ROLE: Final = "primary"
TICKS: Final = (4, 2**10, 2**16, 2**20, 2**26)
"""Bytes that are written below the curve: few enough for a phone."""
UNITS: Final = ((MIB, "MiB"), (2**10, "KiB"), (1, "B"))
BEST: Final = " ★"
COMPUTING_ROLE, SHOWN_ROLE, HIDDEN_ROLE = "series-1", "series-2", "series-5"


def curve_figure(curves: Sequence[ExchangeCurve], mark: Mark | None, language: Language) -> Figure:
    """Time of an exchange over its bytes, both in steps of ten times, with the line that was fitted."""
    _ = language.text
    title = _("Time of an exchange")
    layout = base_layout(title, _("size of what is exchanged"), _("milliseconds"), language)
    layout["xaxis"] |= {
        "type": "log",
        "tickvals": list(TICKS),
        "ticktext": [written_bytes(size, language) for size in TICKS],
        "tickangle": 0,
    }
    layout["yaxis"] |= {"type": "log", "tickformat": "~g", "dtick": 1}
    traces: list[Spec] = []
    most = max((curve.replicas for curve in curves), default=2)
    for index, curve in enumerate(curves):
        role = _role(curve, index)
        traces.append(_points(curve, role, len({one.replicas for one in curves}) > 1, language))
        if curve.line is not None and curve.way is ExchangeWay.ALL_REDUCE and curve.replicas == most:
            traces.append(_fitted(curve, language))
    if mark is not None:
        traces += _marked(mark, curves, language)
    description = _(
        "Line chart of the time of an exchange over its size in bytes, both logarithmic, with the fitted line."
    )
    return Figure(title, description, tuple(traces), layout)


def buckets_figure(found: ExchangeInStep, language: Language) -> Figure:
    """A step for each size of buckets: what it computes, and of its exchange what is seen and what is hidden."""
    _ = language.text
    title = _("Buckets of a step")
    layout = base_layout(title, _("buckets and their size, ★ best here"), _("milliseconds"), language)
    layout |= {"barmode": "relative"}
    layout["xaxis"] |= {"type": "category", "tickangle": 0}
    names = [language.setting(0), *(_bucket_name(one, found, language) for one in found.buckets)]
    shown = [one.step.milliseconds - found.without.milliseconds for one in found.buckets]
    hidden = [one.hidden.milliseconds for one in found.buckets]
    traces = (
        _stack(
            "computing",
            _("all-reduce taken away"),
            names,
            [found.without.milliseconds] * len(names),
            COMPUTING_ROLE,
        ),
        _stack("shown", _("exchange not hidden"), names, [0.0, *shown], SHOWN_ROLE, "/"),
        _stack("hidden", _("exchange hidden"), names, [0.0, *hidden], HIDDEN_ROLE, "."),
    )
    description = _(
        "Stacked bars of a step's time for each number of buckets: without its all-reduce, and with what of it is "
        "hidden and not hidden behind backward."
    )
    return Figure(title, description, traces, layout)


def accumulation_figure(found: ExchangeInStep, language: Language) -> Figure:
    """A step in several micro-batches, with one exchange and with as many."""
    _ = language.text
    title = _("Accumulation of gradients")
    layout = base_layout(title, _("micro-batches"), _("milliseconds"), language)
    layout |= {"barmode": "group"}
    layout["xaxis"] |= {"type": "category"}
    layout["yaxis"] |= {"rangemode": "tozero"}
    several = found.accumulations
    names = ["1", *(language.setting(one.micro_batches) for one in several)]

    def column(of: Sequence[Duration]) -> tuple[list[float], list[float]]:
        both = [found.step, *of]
        return [one.milliseconds for one in both], [one.error_milliseconds for one in both]

    traces = (
        _grouped("each", _("exchange after each"), names, *column([one.each for one in several]), SHOWN_ROLE),
        _grouped(
            "once", _("one exchange (no_sync)"), names, *column([one.once for one in several]), COMPUTING_ROLE
        ),
    )
    description = _("Bars of a step's time for each number of micro-batches, with one exchange and with as many.")
    return Figure(title, description, traces, layout)


def written_bytes(num_bytes: int, language: Language) -> str:
    """Bytes in the largest unit of which there is one."""
    size, unit = next((size, unit) for size, unit in UNITS if num_bytes >= size)
    return f"{language.number(num_bytes // size if num_bytes % size == 0 else num_bytes / size)} {unit}"


def _role(curve: ExchangeCurve, index: int) -> str:
    if curve.way is ExchangeWay.RING:
        return RING_ROLE
    return NAIVE_ROLE if curve.way is ExchangeWay.NAIVE else f"series-{(0, 1, 4, 5, 6, 7)[index % 6] + 1}"


def _points(curve: ExchangeCurve, role: str, names_ranks: bool, language: Language) -> Spec:
    _ = language.text
    name, symbol = language.name(curve.way), SYMBOLS[curve.way]
    if names_ranks:
        name = _("{way}, {replicas} ranks").format(way=name, replicas=language.setting(curve.replicas))
    return {
        "uid": f"curve-{curve.way}-{curve.replicas}",
        "type": "scatter",
        "mode": "markers" if curve.way is ExchangeWay.ALL_REDUCE else "lines+markers",
        "name": name,
        "x": [size.num_bytes for size in curve.sizes],
        "y": [1e3 * size.seconds for size in curve.sizes],
        "error_y": {
            "type": "data",
            "array": [1e3 * (size.high - size.seconds) for size in curve.sizes],
            "arrayminus": [1e3 * (size.seconds - size.low) for size in curve.sizes],
            "color": f"role:{role}",
            "thickness": 1,
            "width": 3,
        },
        "line": {"color": f"role:{role}", "width": 1.5, "dash": "dot"},
        "marker": {
            "size": 10 if curve.way is ExchangeWay.ALL_REDUCE else 8,
            "color": f"role:{role}",
            "symbol": [f"{symbol}-open" if size.is_off else symbol for size in curve.sizes],
            "line": {"width": 2, "color": f"role:{role}"},
        },
        "text": [
            written_bytes(size.num_bytes, language) + (_(", off the line") if size.is_off else "")
            for size in curve.sizes
        ],
        "hovertemplate": f"{name}, %{{text}}: %{{y:.3~g}} ms<extra></extra>",
    }


def _fitted(curve: ExchangeCurve, language: Language) -> Spec:
    _ = language.text
    line = curve.line
    assert line is not None
    return {
        "uid": "fitted",
        "type": "scatter",
        "mode": "lines",
        "name": _("fitted: latency α + β × bytes"),
        "x": [size.num_bytes for size in curve.sizes],
        "y": [1e3 * line.seconds(size.num_bytes) for size in curve.sizes],
        "line": {"color": "role:text", "width": 2, "dash": "dash"},
        "hoverinfo": "skip",
    }


def _marked(mark: Mark, curves: Sequence[ExchangeCurve], language: Language) -> list[Spec]:
    """Where a model's gradient lies: a line across the chart, the predicted time and the measured one."""
    _ = language.text
    seconds = [size.seconds for curve in curves for size in curve.sizes]
    name = _("gradient of this model")
    across = {
        "uid": "gradient",
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "showlegend": False,
        "x": [mark.num_bytes] * 2,
        "y": [1e3 * min(seconds), 1e3 * max(seconds)],
        "line": {"color": f"role:{MARKED_ROLE}", "width": 2, "dash": "dot"},
        "hoverinfo": "skip",
    }
    size = written_bytes(mark.num_bytes, language)
    times = [(mark.seconds, _("predicted"))]
    if mark.measured is not None:
        times.append((mark.measured, _("measured")))
    points = {
        "uid": "gradient-times",
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [mark.num_bytes] * len(times),
        "y": [1e3 * taken for taken, _said in times],
        "text": [said for _taken, said in times],
        "marker": {
            "size": 15,
            "symbol": ["star-open", "star"][: len(times)],
            "color": f"role:{MARKED_ROLE}",
            "line": {"width": 2, "color": f"role:{MARKED_ROLE}"},
        },
        "hovertemplate": f"{name}, {size}, %{{text}}: %{{y:.3~g}} ms<extra></extra>",
    }
    return [across, points]


def _bucket_name(buckets: Buckets, found: ExchangeInStep, language: Language) -> str:
    """How many there are, and their size, in lines so short that five stand side by side on a phone."""
    is_best = len(found.buckets) > 1 and buckets is found.best
    size = "torch" if buckets.cap_mb is None else written_bytes(round(buckets.cap_mb * MIB), language)
    return f"{language.setting(buckets.count)}{BEST if is_best else ''}<br>{size.replace(' ', '<br>')}"


def _stack(
    uid: str, name: str, names: Sequence[str], values: Sequence[float], role: str, pattern: str = ""
) -> Spec:
    return {
        "uid": uid,
        "type": "bar",
        "name": name,
        "x": list(names),
        "y": list(values),
        "marker": {
            "color": f"role:{role}",
            "line": {"color": "role:background", "width": 1},
            "pattern": {"shape": pattern, "size": 6, "solidity": 0.25},
        },
        "hovertemplate": f"{name} %{{y:.3~g}} ms<extra></extra>",
    }


def _grouped(
    uid: str, name: str, names: Sequence[str], values: Sequence[float], errors: Sequence[float], role: str
) -> Spec:
    return _stack(uid, name, names, values, role, "/" if uid == "each" else "") | {
        "error_y": {"type": "data", "array": list(errors), "color": "role:text", "thickness": 1.5, "width": 5},
    }
