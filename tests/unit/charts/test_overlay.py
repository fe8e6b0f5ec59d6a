"""The losses of several runs in one figure."""

import json
from dataclasses import asdict

import numpy as np
import plotly.graph_objects as go
import pytest

from dpdash.charts.export import colored
from dpdash.charts.loss import MAX_POINTS
from dpdash.charts.overlay import (
    MOST_NAMED,
    NUM_COLORS,
    Along,
    Axes,
    OverlaidRun,
    Points,
    along,
    overlay_figure,
)
from dpdash.charts.spec import Figure
from dpdash.core.config import RunConfig
from dpdash.core.events import EpochBlock
from dpdash.core.history import NUM_BUCKETS, History, HistorySnapshot
from dpdash.core.translations import PSEUDO, language

MOST_BYTES = 300_000
BRACKETED = language(PSEUDO)
CONFIG = RunConfig(samples=70)
COLORS = {f"series-{number}": "#102030" for number in range(1, NUM_COLORS + 1)} | dict.fromkeys(
    ("text", "background", "reference", "muted", "grid", "primary"), "#405060"
)


def history(num_epochs: int, seed: int = 0) -> HistorySnapshot:
    """A run with noisy losses, whose epoch `e` ends e/7 seconds after its start."""
    epochs = np.arange(1, num_epochs + 1)
    losses = 75.0 / epochs * np.random.default_rng(seed).uniform(0.5, 1.5, num_epochs)
    columns = dict.fromkeys(("loss", "slope", "intercept", "learning_rate"), losses)
    result = History()
    result.fold(EpochBlock(first_epoch=1, **columns, seconds=epochs / 7))
    return result.snapshot()


def overlaid(number: int, num_epochs: int = 50, *, smooth: bool = False, is_baseline: bool = False) -> OverlaidRun:
    found = history(num_epochs, number)
    epochs, losses = found.curve("loss", MAX_POINTS)
    points = Points(epochs.astype(np.float64), losses)
    return OverlaidRun(number, f"run <b>{number}</b>", points, points if smooth else None, num_epochs, is_baseline)


def figure(*runs: OverlaidRun, axes: Axes | None = None, floor: float | None = 0.25) -> Figure:
    return overlay_figure(runs, axes or Axes(), floor, BRACKETED)


def valid(shown: Figure) -> None:
    spec = {"data": list(shown.traces), "layout": shown.layout}
    go.Figure(colored(spec, COLORS))


@pytest.mark.parametrize("axes", [Axes(), Axes(Along.SECONDS, True, False), Axes(Along.SAMPLES, True, True)])
def test_plotly_takes_it(axes: Axes) -> None:
    valid(figure(overlaid(1), overlaid(2, smooth=True), axes=axes))
    valid(figure(*(overlaid(number) for number in range(1, 13)), axes=axes, floor=None))


def test_the_raw_line_stays_faint_behind_the_smoothed_one() -> None:
    raw, smooth = figure(overlaid(1, smooth=True), floor=None).traces
    assert raw["x"] == smooth["x"] and raw["y"] == smooth["y"]
    assert raw["line"]["color"] == "role:series-1@0.3" and smooth["line"]["color"] == "role:series-1"
    assert not raw["showlegend"] and raw["legendgroup"] == smooth["legendgroup"], "a click hides both"


def test_each_line_has_the_colour_of_its_number_and_the_floor_that_of_references() -> None:
    traces = figure(overlaid(1), overlaid(NUM_COLORS), overlaid(NUM_COLORS + 1)).traces
    last = f"role:series-{NUM_COLORS}"
    assert {trace["uid"]: trace["line"]["color"] for trace in traces} == {
        "raw-1": "role:series-1",
        f"raw-{NUM_COLORS}": last,
        f"raw-{NUM_COLORS + 1}": "role:series-1",
        "noise-floor": "role:reference",
    }
    assert [trace["marker"]["color"] for trace in traces[:3]] == ["role:series-1", last, "role:series-1"]


def test_the_baseline_is_drawn_and_named_as_such() -> None:
    plain, baseline = figure(overlaid(1), overlaid(2, is_baseline=True), floor=None).traces
    assert baseline["line"]["width"] > plain["line"]["width"]
    assert "(baseline)" in baseline["name"] and "(baseline)" not in plain["name"]


def test_names_are_no_markup_and_give_way_to_numbers() -> None:
    few = figure(overlaid(1), floor=None).traces[0]["name"]
    assert few == "1 run &lt;b&gt;1&lt;/b&gt;"
    many = figure(*(overlaid(number) for number in range(1, MOST_NAMED + 2)), floor=None).traces
    assert [trace["name"] for trace in many] == ["1", "2", "3", "4", "5"]


def test_every_run_has_a_look_of_its_own() -> None:
    traces = figure(*(overlaid(number) for number in range(1, 13)), floor=None).traces
    assert len({(trace["line"]["color"], trace["line"]["dash"]) for trace in traces}) == 12


def test_thinning_is_said_and_only_then() -> None:
    assert figure(overlaid(1)).layout["annotations"] == []
    (note,) = figure(overlaid(1), overlaid(2, 5_000)).layout["annotations"]
    assert "of 5000 epochs drawn" in note["text"]


def test_ten_long_runs_fit_in_a_message() -> None:
    shown = figure(*(overlaid(number, 100_000, smooth=True) for number in range(1, 11)))
    assert len(json.dumps(asdict(shown))) < MOST_BYTES


def test_extremes_of_a_long_run_are_drawn() -> None:
    found = history(100_000)
    epochs, losses = found.curve("loss", MAX_POINTS)
    assert losses.min() == found.low[0].min() and losses.max() == found.high[0].max()
    assert (epochs[0], epochs[-1]) == (1, 100_000)


@pytest.mark.parametrize("num_epochs", [1, 40, NUM_BUCKETS * 3])
def test_every_axis_measures_the_same_epochs(num_epochs: int) -> None:
    found = history(num_epochs)
    epochs = np.unique(np.linspace(1, num_epochs, 30).astype(np.int64))
    assert along(Along.EPOCHS, epochs, found, CONFIG).tolist() == epochs.tolist()
    assert along(Along.SAMPLES, epochs, found, CONFIG).tolist() == (70 * epochs).tolist()
    assert along(Along.SECONDS, epochs, found, CONFIG) == pytest.approx(epochs / 7)
