"""The losses of several runs on one logarithmic axis."""

from collections.abc import Sequence
from typing import Final

from dpdash.figures.loss import MAX_POINTS
from dpdash.figures.spec import Figure, Spec, Translate, base_layout, packed
from dpdash.history import HistorySnapshot

NUM_SERIES: Final = 8
DASHES: Final = ("solid", "dash", "dot", "dashdot")
"""A second mark of the run: with more runs than colours, colour and dash together are its own."""


def losses_overlaid(runs: Sequence[tuple[str, HistorySnapshot]], _: Translate, separators: str = ".,") -> Figure:
    """A curve for each run, by its name; each keeps its exact first, last and extreme points."""
    layout = base_layout(_("Loss per epoch"), _("epoch"), _("loss (mean squared error)"), separators)
    layout["yaxis"] |= {"type": "log", "tickformat": "~g"}
    traces = tuple(_curve(place, name, history) for place, (name, history) in enumerate(runs))
    description = _("Line chart of the loss of every epoch of {number} runs, logarithmic.").format(
        number=len(runs)
    )
    return Figure(layout["title"]["text"], description, traces, layout)


def _curve(place: int, name: str, history: HistorySnapshot) -> Spec:
    epochs, losses = history.curve("loss", MAX_POINTS) if history.num_epochs else ((), ())
    return {
        "uid": f"run-{place}",
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": packed(epochs),
        "y": packed(losses),
        "line": {
            "color": f"role:series-{place % NUM_SERIES + 1}",
            "dash": DASHES[place // NUM_SERIES % len(DASHES)],
            "width": 2.5,
        },
    }
