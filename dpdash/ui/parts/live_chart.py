"""The one live chart: `chart` holds the figures and their nodes, `feed` brings what changes.

`chart` stands outside the fragment that refreshes, `feed` inside it, one for all of its charts: a refresh then
neither packs nor sends the data and the layout again. The two meet in the browser, in `static/live_chart.js`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import streamlit as st

from dpdash.charts.spec import HEIGHT, MIXES, Figure, Update
from dpdash.core.errors import N_
from dpdash.ui.session.language import _
from dpdash.web.assets import asset_url

STACKED_HEIGHT: Final = HEIGHT + 60
"""Pixels, for two more rows of legend. Heights stand in the style sheet, before anything is drawn, so that nothing
below a chart ever moves."""
STACKED_BELOW: Final = 700
"""Width in pixels below which two plots stand above each other."""
MAX_PLOTS: Final = 2
GAP: Final = 16
PLOTLYS_TEXTS: Final = (
    N_("Reset axes"),
    N_("Download plot as a PNG"),
    N_("Download plot as an SVG"),
    N_("Preparing image - this may take a few seconds"),
    N_("Image download succeeded"),
    N_("Sorry, there was a problem downloading your image!"),
)
"""What plotly.js writes on a chart, letter by letter as its dictionaries have it, and on the button for SVG."""

# A style sheet of the page and not of the components: it has to reserve the heights, and to hide the feed with the
# page's gap around it, before the browser has fetched what draws a component. Nor is it sent with each refresh.
STYLE: Final = f"""
[class*="st-key-dpdash-frame-"] {{ container-type: inline-size; }}
[class*="st-key-dpdash-feed"] {{ display: none; }}
.dpdash-plots {{ display: grid; gap: {GAP}px; grid-template-columns: repeat(var(--plots), minmax(0, 1fr)); }}
.dpdash-plot {{ height: {HEIGHT}px; overflow: hidden; }}
@container (max-width: {STACKED_BELOW - 1}px) {{
  [class*="st-key-dpdash-chart-1-"] {{ flex: 0 0 {STACKED_HEIGHT}px !important; }}
  [class*="st-key-dpdash-chart-2-"] {{ flex: 0 0 {2 * STACKED_HEIGHT + GAP}px !important; }}
  .dpdash-plots {{ grid-template-columns: minmax(0, 1fr); }}
  .dpdash-plot {{ height: {STACKED_HEIGHT}px; }}
}}
@media (prefers-reduced-motion: reduce) {{ .dpdash-plots .modebar {{ transition: none !important; }} }}
"""


def loader(function: str) -> str:
    """A script of a line, as it travels with every refresh; `page.js` fetches the module that it calls, once."""
    return f"""
export default async (component) => (await dpdashModule(component)).{function}(component);
"""


def _html(num_plots: int) -> str:
    plots = '<div class="dpdash-plot" role="figure"></div>' * num_plots
    return f'<div class="dpdash-plots" style="--plots:{num_plots}">{plots}</div>'


_charts = {
    num_plots: st.components.v2.component(
        f"dpdash_chart_{num_plots}",
        html=_html(num_plots),
        js=loader("showChart"),
        isolate_styles=False,
    )
    for num_plots in range(1, MAX_PLOTS + 1)
}
_feed = st.components.v2.component(
    "dpdash_feed",
    js=loader("receiveFeed"),
    isolate_styles=False,
)


def chart(key: str, run: str, figures: Sequence[Figure], on_pick: Callable[[], None] | None = None) -> None:
    """Place one or two figures side by side.

    `run` names what they show: zoom and legend choices last as long as it stays the same, and only a feed of the
    same run is drawn. `on_pick` is called after a click on a point with `customdata`, which `picked` then gives.
    """
    data = {
        "script": asset_url("live_chart.js"),
        "plotly": asset_url("plotly-cartesian.min.js"),
        "key": key,
        "run": run,
        "failure": _("The chart could not be loaded. Reload the page; training goes on meanwhile."),
        "mixes": MIXES,
        "picks": on_pick is not None,
        "texts": {text: _(text) for text in PLOTLYS_TEXTS},
        "figures": [_plain(figure) for figure in figures],
    }
    with st.container(key=f"dpdash-frame-{key}"):
        place = _charts[len(figures)]
        listening: dict[str, Any] = {} if on_pick is None else {"on_picked_change": on_pick}
        place(key=_key(key, len(figures)), data=data, height=HEIGHT, **listening)


def picked(key: str, num_figures: int) -> str | None:
    """What the point that was just clicked has as `customdata`; a browser may send anything."""
    value = getattr(st.session_state.get(_key(key, num_figures)), "picked", None)
    return value if isinstance(value, str) else None


def _key(key: str, num_figures: int) -> str:
    return f"dpdash-chart-{num_figures}-{key}"


def feed(run: str, seq: int, updates: Mapping[str, Sequence[Update]], *, wakes: bool = False) -> None:
    """Bring what has changed, to each chart by its key an update for each of its figures; it takes no room.

    A page has one feed, as each message of a refresh costs. A snapshot with a lower `seq` than the last of the
    same run is ignored. A feed that `wakes` has its fragment run again when a page that was out of sight is seen
    again.
    """
    data = {
        "script": asset_url("live_chart.js"),
        "run": run,
        "seq": seq,
        "wakes": wakes,
        "updates": {key: [_plain(update) for update in of_chart] for key, of_chart in updates.items()},
    }
    _feed(key="dpdash-feed", data=data, on_wake_change=_seen_again)


def _plain(part: Figure | Update) -> dict[str, Any]:
    """A part as the browser takes it. `dataclasses.asdict` would copy it whole, and every refresh pay for that."""
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _seen_again() -> None:
    """Streamlit sends a trigger only where somebody listens; the run of the fragment is all that is wanted."""
