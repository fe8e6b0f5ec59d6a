"""What a step is made of, drawn and in numbers: on Scaling for a study, on Parallelism for a run's settings."""

import html
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final

import streamlit as st

from dpdash.charts.waterfall import step_names, waterfall_figure
from dpdash.core.scaling.curve import Spread
from dpdash.core.scaling.waterfall import Beside, Device, Duration, Part, Waterfall
from dpdash.findings.scaling.shown import shown_parts
from dpdash.ui.parts.live_chart import chart
from dpdash.ui.session.language import _, current

NOT_THERE: Final = "–"
RATIO: Final = Decimal("0.001")

_Cell = Callable[[Waterfall], str]


def show_waterfall(key: str, run: str, waterfalls: Sequence[Waterfall]) -> None:
    """Show one or more steps of one engine, part by part, with a table of the numbers.

    Args:
        key: Of the chart, which a page has once.
        run: Names what is shown, so that zoom and legend last as long as it stays the same.
        waterfalls: The steps, in the order of their replicas; not none.
    """
    chart(key, run, [waterfall_figure(waterfalls, current())])
    show_parts(waterfalls)


def show_parts(waterfalls: Sequence[Waterfall]) -> None:
    """Show the table of the parts of one or more steps."""
    st.html(parts_html(waterfalls))


def parts_html(waterfalls: Sequence[Waterfall]) -> str:
    """Parts by numbers of replicas, their sum, what it is compared with, and what stands beside the sum."""
    caption = html.escape(_("Milliseconds of a step ± standard error"))
    head = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in step_names(waterfalls, current())[0])
    body = "".join(
        _row(current().name(part), [_part(one, part) for one in waterfalls])
        for part in Part
        if any(part in one.parts for one in waterfalls)
    )
    foot = "".join(_row(name, [cell(one) for one in waterfalls]) for name, cell in _compared(waterfalls))
    beside = "".join(
        _row(current().name(name), [_beside(one, name) for one in waterfalls])
        for name in Beside
        if any(name in one.beside for one in waterfalls)
    )
    if beside:
        title = html.escape(_("Beside the sum"))
        beside = (
            f"<tbody><tr><th scope='rowgroup' colspan='{len(waterfalls) + 1}'>{title}</th></tr>{beside}</tbody>"
        )
    return (
        f"<div class='dpdash-scrolls' role='region' tabindex='0' aria-label='{caption}'>"
        f"<table class='dpdash-parts'><caption>{caption}</caption>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody>"
        f"<tbody class='dpdash-sum'>{foot}</tbody>{beside}"
        "</table></div>"
    )


def _compared(waterfalls: Sequence[Waterfall]) -> Iterable[tuple[str, _Cell]]:
    """The rows of the sum and of what it is compared with."""
    device = current().name(waterfalls[0].device)
    yield _("measured step"), lambda one: _written(one, one.step)
    yield device, lambda one: _written(one, one.one_device)
    if any(one.whole_cpu is not None for one in waterfalls):
        cpu = current().name(Device.WHOLE_CPU)
        yield cpu, lambda one: NOT_THERE if one.whole_cpu is None else _written(one, one.whole_cpu)
        yield _("times {device}").format(device=device), _speed_up
        yield _("times {device}").format(device=cpu), _speed_up_of_cpu
    else:
        yield _("times {device}").format(device=device), _speed_up


def _speed_up(one: Waterfall) -> str:
    return _times(one.speed_up)


def _speed_up_of_cpu(one: Waterfall) -> str:
    return NOT_THERE if one.speed_up_of_cpu is None else _times(one.speed_up_of_cpu)


def _times(speed_up: Spread) -> str:
    """A ratio and its error, with the same decimals."""
    times, error = (Decimal(value).quantize(RATIO) for value in (speed_up.median, speed_up.standard_error))
    return f"{current().decimal(times)} ± {current().decimal(error)}"


def _part(one: Waterfall, part: Part) -> str:
    if part not in one.parts:
        return NOT_THERE
    shown, duration = shown_parts(one), one.parts[part]
    text = _with_error(current().decimal(shown.parts[part]), one, duration)
    if not duration.is_lost_in_noise:
        return text
    bound = current().decimal(shown.written(duration.bound))
    return f"{text} (< {bound})"


def _beside(one: Waterfall, name: Beside) -> str:
    return _written(one, one.beside[name]) if name in one.beside else NOT_THERE


def _written(one: Waterfall, duration: Duration) -> str:
    return _with_error(current().decimal(shown_parts(one).written(duration)), one, duration)


def _with_error(text: str, one: Waterfall, duration: Duration) -> str:
    error = shown_parts(one).written(Duration(duration.error, 0))
    return f"{text} ± {current().decimal(error)}"


def _row(name: str, cells: Iterable[str]) -> str:
    written = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
    return f"<tr><th scope='row'>{html.escape(name)}</th>{written}</tr>"
