"""Figures as one file that needs neither this program nor the network."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from plotly.graph_objects import Figure as PlotlyFigure
from plotly.io import to_html

from dpdash.charts.spec import Figure, Spec, Update

ROLE: Final = "role:"
HEIGHT: Final = 480


def merged(figure: Figure, update: Update) -> Spec:
    """A figure as the browser draws it: the update laid over the base."""
    layout = {**figure.layout, **update.layout}
    for name, value in update.layout.items():
        if isinstance(value, list):
            layout[name] = [*figure.layout.get(name, []), *value]
    traces = [{**trace, **update.traces.get(trace["uid"], {})} for trace in figure.traces]
    return {"data": traces, "layout": layout}


def colored(part: Any, colors: Mapping[str, str]) -> Any:
    """A copy of a spec in which each role has become its colour; a role's opacity is written after an @."""
    if isinstance(part, str) and part.startswith(ROLE):
        name, _, opacity = part.removeprefix(ROLE).partition("@")
        return _faded(colors[name], float(opacity)) if opacity else colors[name]
    if isinstance(part, Mapping):
        return {key: colored(value, colors) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [colored(value, colors) for value in part]
    return part


def standalone_page(
    title: str,
    text: str,
    figures: Sequence[tuple[Figure, Update]],
    colors: Mapping[str, str],
    language: str,
    tables: str = "",
) -> str:
    """An HTML page with the figures, which a browser shows without a server.

    Args:
        title: Heading of the page.
        text: One paragraph about what the figures show.
        figures: Each figure with what has changed since.
        colors: The colour of every role, as #rrggbb.
        language: Code of the page's language.
        tables: What stands between the text and the figures, as HTML.
    """
    drawn = [
        to_html(
            PlotlyFigure(colored(merged(figure, update), colors)),
            include_plotlyjs=index == 0,
            full_html=False,
            default_height=HEIGHT,
        )
        for index, (figure, update) in enumerate(figures)
    ]
    return (
        f'<!doctype html><html lang="{escape(language)}"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<body style="font-family: sans-serif; margin: 2rem; color: {colors["text"]}">'
        f"<h1>{escape(title)}</h1><p>{escape(text)}</p>{tables}{''.join(drawn)}</body></html>"
    )


def mixed(color: str, other: str, share: float) -> str:
    """A colour between two, each #rrggbb, with so large a share of the first."""
    pairs = zip(_channels(color), _channels(other), strict=True)
    return "#" + "".join(f"{round(share * one + (1 - share) * two):02x}" for one, two in pairs)


def _faded(color: str, opacity: float) -> str:
    red, green, blue = _channels(color)
    return f"rgba({red},{green},{blue},{opacity:g})"


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
