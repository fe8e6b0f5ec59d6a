"""What a step is made of: bars that each begin where the one before ended, up to the step itself."""

from collections.abc import Sequence
from typing import Final

from dpdash.charts.spec import SMALL_TEXT_SIZE, Figure, Spec, base_layout
from dpdash.core.scaling.waterfall import Device, Duration, Part, Waterfall
from dpdash.core.translations import Language
from dpdash.core.words import SHORT_ENGINES
from dpdash.findings.scaling.shown import shown_parts

ROLES: Final = {part: f"series-{place}" for place, part in enumerate(Part, start=1)}
PATTERNS: Final = dict(zip(Part, ("", "/", "\\", "x", "-", "|", "+"), strict=True))
"""So that parts are told apart without their colours."""
STEP_ROLE: Final = "muted"
NOISY_ROLE: Final = "muted@0.35"
GROUP_WIDTH: Final = 0.86
"""Of all bars of a step, where the next step's begin at 1."""
NAMED_UP_TO: Final = 3
"""Steps whose number of replicas is written out below them; of more, the axis says what the numbers are."""
ROOM_ABOVE: Final = 1.12
MOST_BESIDE: Final = 2
"""How many times as long as all else a whole CPU may take to be seen beside it."""


def waterfall_figure(waterfalls: Sequence[Waterfall], language: Language) -> Figure:
    """A step for each number of replicas, part by part, beside what one device takes for its samples."""
    _ = language.text
    title = _("Time of a step")
    layout = base_layout(title, "", _("milliseconds"), language)
    layout |= {"barmode": "overlay", "bargap": 0}
    labels, axis_title = step_names(waterfalls, language)
    layout["xaxis"] |= {
        "tickvals": list(range(len(waterfalls))),
        "ticktext": labels,
        "tickangle": 0,
        "range": [-0.55, max(len(waterfalls), 1) - 0.45],
        "showgrid": False,
    }
    layout["xaxis"]["title"]["text"] = axis_title
    layout["yaxis"] |= {"zeroline": True, "zerolinecolor": "role:muted"}
    if waterfalls:
        layout["yaxis"]["range"] = _range(waterfalls)
    if len(waterfalls) == 1:
        layout["annotations"] = _numbers(waterfalls[0], language)
    parts = [part for part in Part if any(part in one.parts for one in waterfalls)]
    traces = (
        _levels(waterfalls),
        *(_part(part, waterfalls, language) for part in parts),
        _step(waterfalls, language),
        *_devices(waterfalls, language),
    )
    description = _(
        "Waterfall chart: bars from what an ideal split of a step would take, cause by cause, up to the measured "
        "step, for each number of replicas."
    )
    return Figure(title, description, traces, layout)


def step_names(waterfalls: Sequence[Waterfall], language: Language) -> tuple[list[str], str]:
    """What each step is called, and what is said of all of them."""
    _ = language.text
    engines = {one.engine for one in waterfalls}
    if len(engines) > 1:
        names = [f"{_(SHORT_ENGINES[one.engine])}, {language.setting(one.replicas)}" for one in waterfalls]
        return names, _("replicas")
    numbers = [language.setting(one.replicas) for one in waterfalls]
    if len(waterfalls) > NAMED_UP_TO:
        return numbers, _("replicas")
    return [_("{replicas} replicas").format(replicas=number) for number in numbers], ""


def _range(waterfalls: Sequence[Waterfall]) -> list[float]:
    """From the lowest bar to the highest, errors and numbers too, and to what one device takes.

    A whole CPU that others use may take a hundred times as long: the bars are not made lines for that.
    """
    bars = [bar for one in waterfalls for bar in _tops(one)]
    highest = max(*bars, *(_reference(one, one.one_device) for one in waterfalls))
    cpus = [_reference(one, one.whole_cpu) for one in waterfalls if one.whole_cpu is not None]
    highest = max(highest, *(cpu for cpu in (0, *cpus) if cpu <= MOST_BESIDE * highest))
    lowest = min(0, *(end - part.error for one in waterfalls for part, (_begin, end) in _parts_and_spans(one)))
    return [lowest / 1e6, ROOM_ABOVE * highest / 1e6]


def _tops(waterfall: Waterfall) -> list[int]:
    """Where the error bar of each part and of the step ends, in nanoseconds."""
    tops = [max(span) + part.error for part, span in _parts_and_spans(waterfall)]
    return [*tops, waterfall.step.nanoseconds + waterfall.step.error]


def _parts_and_spans(waterfall: Waterfall) -> list[tuple[Duration, tuple[int, int]]]:
    return list(zip(waterfall.parts.values(), _spans(waterfall), strict=True))


def _numbers(waterfall: Waterfall, language: Language) -> list[Spec]:
    """The bars' numbers, above their error bars."""
    texts = [_number(waterfall, part, language) for part in waterfall.parts]
    texts.append(language.decimal(shown_parts(waterfall).step))
    return [
        {
            "x": _left(0, waterfall, place) + _width(waterfall) / 2,
            "y": top / 1e6,
            "text": text,
            "showarrow": False,
            "yanchor": "bottom",
            "font": {"size": SMALL_TEXT_SIZE, "color": "role:text"},
        }
        for place, (text, top) in enumerate(zip(texts, _tops(waterfall), strict=True))
    ]


def _spans(waterfall: Waterfall) -> list[tuple[int, int]]:
    """Where each part begins and ends, in nanoseconds."""
    spans, level = [], 0
    for duration in waterfall.parts.values():
        spans.append((level, level + duration.nanoseconds))
        level += duration.nanoseconds
    return spans


def _width(waterfall: Waterfall) -> float:
    return GROUP_WIDTH / (len(waterfall.parts) + 1)


def _left(group: int, waterfall: Waterfall, place: int) -> float:
    """Where a bar begins."""
    return group - GROUP_WIDTH / 2 + place * _width(waterfall)


def _part(part: Part, waterfalls: Sequence[Waterfall], language: Language) -> Spec:
    """The bars of a part; hollow where it is lost in noise, grey where all of a step is."""
    having = [(group, one) for group, one in enumerate(waterfalls) if part in one.parts]
    durations = [one.parts[part] for _group, one in having]
    hollow = [duration.is_lost_in_noise for duration in durations]
    colors = [NOISY_ROLE if one.is_noisy else ROLES[part] for _group, one in having]
    name = language.name(part)
    spec = _bars([(group, one, list(one.parts).index(part)) for group, one in having], durations)
    spec |= {
        "uid": f"part-{part}",
        "name": name,
        "base": [_spans(one)[list(one.parts).index(part)][0] / 1e6 for _group, one in having],
        "marker": {
            "color": [
                f"role:{'background' if empty else role}" for role, empty in zip(colors, hollow, strict=True)
            ],
            "line": {
                "color": [
                    f"role:{role if empty else 'background'}" for role, empty in zip(colors, hollow, strict=True)
                ],
                "width": [2 if empty else 1 for empty in hollow],
            },
            "pattern": {
                "shape": ["" if empty else PATTERNS[part] for empty in hollow],
                "size": 6,
                "solidity": 0.3,
                "fillmode": "overlay",
                "fgcolor": "role:background",
                "fgopacity": 0.6,
            },
        },
        "customdata": [
            _told(one, duration, language) for (_group, one), duration in zip(having, durations, strict=True)
        ],
        "hovertemplate": f"{name}: %{{customdata}}<extra></extra>",
    }
    return spec


def _step(waterfalls: Sequence[Waterfall], language: Language) -> Spec:
    _ = language.text
    name = _("measured step")
    durations = [one.step for one in waterfalls]
    spec = _bars([(group, one, len(one.parts)) for group, one in enumerate(waterfalls)], durations)
    spec |= {
        "uid": "step",
        "name": name,
        "marker": {"color": [f"role:{NOISY_ROLE if one.is_noisy else STEP_ROLE}" for one in waterfalls]},
        "customdata": [_told(one, one.step, language) for one in waterfalls],
        "hovertemplate": f"{name}: %{{customdata}}<extra></extra>",
    }
    return spec


def _bars(places: Sequence[tuple[int, Waterfall, int]], durations: Sequence[Duration]) -> Spec:
    return {
        "type": "bar",
        "x": [_left(group, one, place) for group, one, place in places],
        "y": [duration.milliseconds for duration in durations],
        "width": [_width(one) for _group, one, _place in places],
        "offset": 0,
        "error_y": {
            "type": "data",
            "array": [duration.error_milliseconds for duration in durations],
            "color": "role:text",
            "thickness": 1.5,
            "width": 3,
        },
    }


def _number(waterfall: Waterfall, part: Part, language: Language) -> str:
    """A part's milliseconds; of one that is lost in noise, its bound."""
    shown, duration = shown_parts(waterfall), waterfall.parts[part]
    if duration.is_lost_in_noise:
        return f"< {language.decimal(shown.written(duration.bound))}"
    return language.decimal(shown.parts[part])


def _told(waterfall: Waterfall, duration: Duration, language: Language) -> str:
    shown = shown_parts(waterfall)
    if duration.is_lost_in_noise:
        bound = language.decimal(shown.written(duration.bound))
        return language.text("less than {milliseconds} ms").format(milliseconds=bound)
    error = Duration(duration.error, 0)
    return f"{language.decimal(shown.written(duration))} ± {language.decimal(shown.written(error))} ms"


def _levels(waterfalls: Sequence[Waterfall]) -> Spec:
    """Thin lines from the end of each part to the beginning of the next."""
    x: list[float | None] = []
    y: list[float | None] = []
    for group, one in enumerate(waterfalls):
        for place, (_base, end) in enumerate(_spans(one)):
            x += [_left(group, one, place), _left(group, one, place + 2), None]
            y += [end / 1e6, end / 1e6, None]
    return _line("levels", x, y, "muted", 1, "solid") | {"showlegend": False}


def _devices(waterfalls: Sequence[Waterfall], language: Language) -> list[Spec]:
    """What one device takes for the samples of each step, and one that takes all cores."""
    if not waterfalls:
        return []
    lines = [("device", waterfalls[0].device, [one.one_device for one in waterfalls], "dash")]
    cpus = [one.whole_cpu for one in waterfalls if one.whole_cpu is not None]
    if len(cpus) == len(waterfalls):
        lines.append(("cpu", Device.WHOLE_CPU, cpus, "dot"))
    drawn = []
    for uid, device, durations, dash in lines:
        x: list[float | None] = []
        y: list[float | None] = []
        for group, (one, duration) in enumerate(zip(waterfalls, durations, strict=True)):
            x += [group - 0.5, group + 0.5, None]
            y += [_reference(one, duration) / 1e6] * 2 + [None]
        drawn.append(_line(uid, x, y, "text", 2, dash) | {"name": language.name(device)})
    return drawn


def _reference(waterfall: Waterfall, duration: Duration) -> int:
    """What one device would take for the samples of a step of all replicas, in nanoseconds."""
    return duration.nanoseconds * waterfall.batches


def _line(uid: str, x: list[float | None], y: list[float | None], role: str, width: int, dash: str) -> Spec:
    return {
        "uid": uid,
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {"color": f"role:{role}", "width": width, "dash": dash},
        "hoverinfo": "skip",
    }
