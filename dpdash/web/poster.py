"""What a page shows before Streamlit has started in the browser: title, data and the untrained line.

It travels with the document itself, as a style sheet and an SVG, so it is there after one round trip. `page.js`
takes it away once the page's own charts are drawn.
"""

from functools import cache, lru_cache
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

import streamlit as st
from starlette.datastructures import Headers
from starlette.types import Scope

from dpdash.charts.fit import NUM_SERIES, X_RANGE, fit_base, y_range
from dpdash.core.config import TRUE_LINE, RunConfig
from dpdash.core.limits import Limits
from dpdash.core.settings import ServerSettings
from dpdash.core.translations import PSEUDO, Language, language, negotiate
from dpdash.web.addresses import path_of
from dpdash.web.long_links import shortened

STYLE: Final = Path(__file__).with_name("poster.css")
TRAIN_PATH: Final = "/"
NUM_KEPT: Final = 64
"""Posters of different settings: each is some kilobytes, and a class opens a few links."""
MOST_SAMPLES: Final = 20_000
"""Data that are drawn in a millisecond or two: a document must not wait for more."""
MOST_QUERY_BYTES: Final = 2_000
"""Twice what all settings take. A longer query gets no figure, but the page that says what is wrong with it."""
SIDE: Final = 1000
"""Of the figure, in units of its own: it is stretched over whatever place it has."""
COLORS: Final = ("backgroundColor", "textColor", "primaryColor")


def poster(scope: Scope, settings: ServerSettings) -> tuple[str, str]:
    """The language of a document, and what it shows first."""
    spoken = visitors_language(scope, settings)
    return spoken.tag, _poster(_wanted(scope, settings), spoken)


def visitors_language(scope: Scope, settings: ServerSettings) -> Language:
    """The server's language where it has one, else the one that the browser asks for first."""
    asked = Headers(scope=scope).get("accept-language", "").partition(",")[0].partition(";")[0].strip()
    wanted = settings.language or asked
    return language(PSEUDO if wanted == PSEUDO else negotiate(wanted))


def _wanted(scope: Scope, settings: ServerSettings) -> tuple[RunConfig, bool] | None:
    """The settings to show and whether a run of theirs may have trained; None where no figure is shown."""
    # Here and not above: torch takes seconds to import, and who needs one of these names should not wait for it.
    from dpdash.web.links import parse_query

    query = scope["query_string"]
    if path_of(scope) != TRAIN_PATH or len(query) > MOST_QUERY_BYTES:
        return None
    asked = parse_qs(shortened(query.decode("latin-1")), keep_blank_values=True)
    link = parse_query(asked, Limits.of(settings))
    if link.run_id is not None and "samples" not in asked:
        # On which data that run trains, its own page says: they may be somebody's own.
        return None
    if link.config.samples > MOST_SAMPLES or link.config.hidden_depth:
        return None
    return link.config, link.run_id is not None


@lru_cache(maxsize=NUM_KEPT)
def _poster(wanted: tuple[RunConfig, bool] | None, spoken: Language) -> str:
    first, comma, rest = escape(spoken.text("y = 3x + noise, trained in parallel")).partition(",")
    title = f"<p>{first}<span>{comma}{rest}</span></p>"
    figure = _figure(*wanted, spoken) if wanted else ""
    return f'<style>{_style()}</style><div id="dpdash-poster">{title}{figure}</div>'


def _figure(config: RunConfig, has_run: bool, spoken: Language) -> str:
    from dpdash.problem.preview import preview

    known = preview(config)
    base = fit_base(known.x, known.y, known.replica, config.replicas, config, spoken)
    (left, right), (low, high) = X_RANGE, y_range(known.y)

    def place(x: float, y: float) -> str:
        return f"{SIDE * (x - left) / (right - left):.0f} {SIDE * (high - y) / (high - low):.0f}"

    def line(name: str, slope: float, intercept: float) -> str:
        ends = (place(x, slope * x + intercept) for x in X_RANGE)
        return f'<path class="{name}" d="M{"L".join(ends)}"/>'

    paths = []
    for rank in range(config.replicas):
        held = known.replica == rank
        dots = "".join(f"M{place(x, y)}h0" for x, y in zip(known.x[held], known.y[held], strict=True))
        paths.append(f'<path class="series-{rank % NUM_SERIES + 1}" d="{dots}"/>')
    paths.append(line("true", *TRUE_LINE))
    # What a run has made of its line, its own page says.
    if not has_run:
        paths.append(line("fit", known.slope, known.intercept))
    svg = f'<svg viewBox="0 0 {SIDE} {SIDE}" preserveAspectRatio="none" aria-hidden="true">{"".join(paths)}</svg>'
    return (
        f'<figure role="img" aria-label="{escape(base.description)}">'
        f"<figcaption>{escape(base.name)}</figcaption>{svg}</figure>"
    )


@cache
def _style() -> str:
    sheet = STYLE.read_text(encoding="utf-8")
    dark = f"@media (prefers-color-scheme: dark) {{ #dpdash-poster {{ {_colors('dark')} }} }}"
    return f"#dpdash-poster {{ {_colors('light')} }} {dark} {sheet}"


def _colors(base: str) -> str:
    """The theme's colours, as `.streamlit/config.toml` has them."""
    series = st.get_option(f"theme.{base}.chartCategoricalColors")
    named = {name: st.get_option(f"theme.{base}.{name}") for name in COLORS}
    named |= {f"series-{number}": color for number, color in enumerate(series, 1)}
    return " ".join(f"--{name}: {color};" for name, color in named.items())
