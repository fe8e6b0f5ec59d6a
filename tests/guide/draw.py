"""Figures as SVG, from numbers alone; large letters, because a phone shows them 340 pixels wide."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

COLORS: Final = ("#0072B2", "#CC7A00", "#0B8A6A", "#5B2A86", "#C95BA0", "#3196AA")
"""Those of the page's light theme, and on white in either: a figure brings its ground along."""
DASHES: Final = ("", "9 5", "2 5", "12 4 2 4", "5 3", "1 3")
INK, FAINT = "#1A1D21", "#D5D9E0"
WIDTH, HEIGHT = 520, 340
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 62, 46
LETTER: Final = 15
LEGEND_ROW: Final = 22
BAR_TOP: Final = 40
BAR_ROW: Final = 34
BAR_LEFT: Final = 190
BAR_VALUES: Final = 74

Write = Callable[[float], str]
"""How a language writes a number."""


@dataclass(frozen=True)
class Series:
    """One line of a chart."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    is_reference: bool = False


@dataclass(frozen=True)
class Bar:
    """One bar; those of a kind have a colour."""

    name: str
    value: float
    kind: int = 0
    begin: float = 0.0
    """Where it begins: in a waterfall, where the one before ended."""

    @property
    def end(self) -> float:
        return self.begin + self.value


def line_chart(
    title: str, axes: tuple[str, str], series: Sequence[Series], write: Write, *, log_y: bool = False
) -> str:
    """Lines over a common x; each has a pattern of its own, so that those that coincide can be told."""
    place_x = _Scale([x for line in series for x in line.xs], LEFT, WIDTH - RIGHT)
    place_y = _Scale([y for line in series for y in line.ys], HEIGHT - BOTTOM, TOP, log=log_y)
    parts = [*_ticks_x(place_x, write), *_ticks_y(place_y, write)]
    for index, line in enumerate(series):
        points = " ".join(f"{place_x(x):.1f},{place_y(y):.1f}" for x, y in zip(line.xs, line.ys, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" {_stroke(index, line)}/>')
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, axes[0], "middle"))
    parts.append(_text(10, TOP - 16, axes[1]))
    for index, line in enumerate(series):
        y = HEIGHT + LEGEND_ROW * (index + 0.5)
        parts.append(f'<path d="M{LEFT} {y - 5:.1f}h34" fill="none" {_stroke(index, line)}/>')
        parts.append(_text(LEFT + 44, y, line.name))
    return _svg(title, HEIGHT + LEGEND_ROW * len(series) + 10, parts)


def bar_chart(title: str, bars: Sequence[Bar], write: Write) -> str:
    """Horizontal bars, each with its name and its value."""
    ends = [end for bar in bars for end in (bar.begin, bar.end)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    left, right = BAR_LEFT + (BAR_VALUES if low < 0 else 0), WIDTH - RIGHT - (BAR_VALUES if high > 0 else 0)
    share = (right - left) / ((high - low) or 1)
    zero = left - low * share
    parts = []
    for index, bar in enumerate(bars):
        y = BAR_TOP + BAR_ROW * index
        first, end = zero + bar.begin * share, zero + bar.end * share
        begin, length = min(first, end), abs(end - first)
        parts.append(_text(10, y + 17, bar.name))
        parts.append(
            f'<rect x="{begin:.1f}" y="{y}" width="{max(length, 1):.1f}" height="24" fill="{COLORS[bar.kind]}"/>'
        )
        beside, anchor = (end - 6, "end") if bar.value < 0 else (end + 6, "start")
        parts.append(_text(beside, y + 17, write(bar.value), anchor))
    bottom = BAR_TOP + BAR_ROW * len(bars)
    parts.append(f'<path d="M{zero:.1f} {BAR_TOP - 4}V{bottom}" stroke="{INK}"/>')
    return _svg(title, bottom + 10, parts)


class _Scale:
    """Values to pixels."""

    def __init__(self, values: Sequence[float], first: float, last: float, *, log: bool = False) -> None:
        self.low, self.high = (min(values), max(values)) if log else (min(0.0, *values), max(values))
        self.log, self._first, self._last = log, first, last
        self._begin, self._end = self._at(self.low), self._at(self.high)

    def __call__(self, value: float) -> float:
        share = (self._at(value) - self._begin) / ((self._end - self._begin) or 1)
        return self._first + share * (self._last - self._first)

    def _at(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self) -> list[float]:
        """Some four round values inside."""
        if self.log:
            decades = range(math.ceil(self._begin), math.floor(self._end) + 1)
            return [10.0**decade for decade in decades]
        rough = (self.high - self.low) / 4
        unit = 10 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough)
        return [round(index * step, 9) for index in range(int(self.high / step) + 1)]


def _ticks_x(place: _Scale, write: Write) -> Iterator[str]:
    for tick in place.ticks():
        yield _text(place(tick), HEIGHT - BOTTOM + 18, write(tick), "middle")


def _ticks_y(place: _Scale, write: Write) -> Iterator[str]:
    for tick in place.ticks():
        yield f'<path d="M{LEFT} {place(tick):.1f}H{WIDTH - RIGHT}" stroke="{FAINT}"/>'
        yield _text(LEFT - 8, place(tick) + 5, write(tick), "end")


def _stroke(index: int, line: Series) -> str:
    color, dash = (INK, "3 4") if line.is_reference else (COLORS[index], DASHES[index])
    # The first is drawn wider: those that lie on it leave it to be seen.
    width = 1.5 if line.is_reference else 6 if index == 0 else 2.5
    opacity = ' opacity="0.45"' if index == 0 and not line.is_reference else ""
    return f'stroke="{color}" stroke-width="{width}" stroke-dasharray="{dash or "none"}"{opacity}'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="{LETTER}" fill="{INK}">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="{WIDTH}" height="{height:.0f}" rx="8" fill="#FFFFFF"/>\n'
        f'<text x="10" y="20" font-weight="600">{escape(title)}</text>\n{body}\n</svg>\n'
    )
