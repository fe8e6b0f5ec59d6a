"""Every figure is checked by plotly's own validation, once its roles are colours."""

import base64
import json
import tomllib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
import pytest

from dpdash.charts.exchange import accumulation_figure, buckets_figure, curve_figure
from dpdash.charts.fit import MAX_NAMED_REPLICAS, fit_base, fit_update
from dpdash.charts.loss import MAX_POINTS, loss_base, loss_update
from dpdash.charts.scaling import Baseline, Line, efficiency_figure, map_figure, speed_up_figure
from dpdash.charts.slope import slope_base, slope_update
from dpdash.charts.spec import Figure, Update, packed, power_of_ten
from dpdash.charts.step import imbalance, memory_figure, shards_figure, timeline_figure
from dpdash.charts.surface import surface_base, surface_update
from dpdash.charts.sweep import best_figure
from dpdash.charts.sweep import map_figure as sweep_map_figure
from dpdash.charts.sweep_settings import importance_figure, parallel_figure, spread_figure
from dpdash.charts.waterfall import waterfall_figure
from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import COLUMNS, EpochBlock, LearningRateChanged
from dpdash.core.history import History, HistorySnapshot, Row
from dpdash.core.scaling.waterfall import Device, Part
from dpdash.core.steps import Phase, ReplicaStep, Span, StepTrace
from dpdash.core.sweep import Sweep, TrialStatus
from dpdash.core.sweep_axis import Axis
from dpdash.core.translations import PSEUDO, language
from dpdash.findings.scaling.curves import curves
from dpdash.findings.scaling.exchange import exchange_curves, in_step
from dpdash.findings.scaling.exchange_verdict import mark
from dpdash.findings.scaling.fits import amdahl
from dpdash.findings.scaling.parts import waterfalls
from dpdash.findings.sweep import best_so_far, importances, linear_rule, slope_spreads, sweep_map
from tests.unit.findings.scaling import made_up_exchanges
from tests.unit.findings.scaling.made_up import measured_study, usual_milliseconds
from tests.unit.sweeps.conftest import REPLICAS as CPU_REPLICAS
from tests.unit.sweeps.conftest import study_of, sweep_of

CONFIG = RunConfig(epochs=5000)
CONFIG_FILE: Final = Path(__file__).parents[3] / ".streamlit/config.toml"
MAX_REFRESH_BYTES = 12_000
BRACKETED = language(PSEUDO)


def history(num_epochs: int, num_changes: int = 0) -> HistorySnapshot:
    result = History()
    epochs = np.arange(1, num_epochs + 1)
    columns = {name: 75.0 / epochs + place for place, name in enumerate(COLUMNS)}
    result.fold(EpochBlock(first_epoch=1, **columns))
    for index in range(num_changes):
        result.fold(LearningRateChanged((index + 1) * max(num_epochs // 50, 1), 0.01 * (index + 1)))
    return result.snapshot()


def fit(num_replicas: int, num_points: int = 400) -> Figure:
    x = np.linspace(-5, 5, num_points)
    replica = np.arange(num_points) % num_replicas
    return fit_base(x, 3 * x, replica, num_replicas, CONFIG, BRACKETED)


def surface() -> Figure:
    slopes, intercepts = np.linspace(-2, 6, 30), np.linspace(-3, 3, 20)
    loss = (slopes[None, :] - 3) ** 2 * 8 + intercepts[:, None] ** 2
    return surface_base(slopes, intercepts, loss, (3.0, 0.0), BRACKETED)


def step(memory: tuple[int | None, ...]) -> StepTrace:
    """A step with a replica for each memory, all of them busy."""
    replicas = tuple(
        ReplicaStep("CPU", 5, (0, 1), 1 / len(memory), (1.0,), 2_000_000, 1_000_000, held) for held in memory
    )
    lanes = range(len(memory))
    spans = [Span(phase, lane, 0.001 * at, 0.001) for at, phase in enumerate(Phase) for lane in lanes]
    return StepTrace("single", False, 9, ("w",), 1, replicas, (1.0,), (1.0,), 0.0, tuple(spans), 0.010)


def shards() -> Figure:
    points = np.linspace(-5, 5, 7, dtype=np.float32)
    return shards_figure({0: (points, 3 * points), 1: (points, points)}, 4, BRACKETED, CONFIG)


NOTHING_NEW = Update()
STUDY = study_of(lambda point: 0.015 * point.hidden_width * point.replicas, num_cores=2, hidden_widths=(8, 64))
CURVES = curves(STUDY)
LINES = [
    Line("⟦replicas⟧", CURVES[1], lambda count: amdahl(0.1, count), "⟦Amdahl⟧"),
    Line("⟦none⟧", CURVES[0], None, ""),
]

WATERFALLS = waterfalls(measured_study(engines=(CPU_REPLICAS, EngineName.DDP)))
NOISY = waterfalls(measured_study(lambda point, way, turn: usual_milliseconds(point, way, turn) * (1 + turn % 3)))

RATES_AND_BATCHES = (Axis("global_batch_size", (5, 10, 50)), Axis("learning_rate", (0.001, 0.01, 0.1)))
SEEDS = (Axis("noise", (0.5, 2.0)), Axis("samples", (50, 100)), Axis("seed", (0, 1, 2)))


def tuned(values: tuple[object, ...]) -> float | TrialStatus:
    return (
        TrialStatus.DIVERGED if values == (5, 0.1) else abs(float(str(values[1])) - float(str(values[0])) / 1000)
    )


TUNED = sweep_of(tuned, axes=RATES_AND_BATCHES)
SEEDED = sweep_of(lambda values: float(str(values[0])), axes=SEEDS)
SPREAD = replace(
    SEEDED,
    trials=tuple(replace(trial, slope=3 + 0.1 * float(trial.values[2])) for trial in SEEDED.trials),
)
HOPELESS = sweep_of(lambda _values: TrialStatus.PRUNED, axes=RATES_AND_BATCHES[:1])


def sweep_map_of(sweep: Sweep, x: str, y: str | None) -> Figure:
    return sweep_map_figure(sweep, sweep_map(sweep, x, y), linear_rule(sweep), BRACKETED)


def loss_at(curve: HistorySnapshot, epoch: int | None) -> Update:
    """The loss up to now, or looked back to an epoch."""
    return loss_update(curve, curve.latest if epoch is None else curve.row(epoch), epoch, CONFIG.epochs, BRACKETED)


EXCHANGES = made_up_exchanges.study_of(replicas=3)
EXCHANGED = in_step(EXCHANGES)
assert EXCHANGED is not None
FIGURES = {
    "shards": (shards(), NOTHING_NEW),
    "timeline": (timeline_figure(step((3, 2)), "⟦step⟧", 0.02, BRACKETED), NOTHING_NEW),
    "timeline of many": (timeline_figure(step((3,) * 20), "⟦step⟧", 0.02, BRACKETED), NOTHING_NEW),
    "memory": (memory_figure(step((3_000_000, 2_000_000)), BRACKETED), NOTHING_NEW),
    "memory that nobody knows": (memory_figure(step((None, None)), BRACKETED), NOTHING_NEW),
    "loss": (loss_base(CONFIG, 0.25, 0.249, BRACKETED), loss_at(history(3000, 20), 140)),
    "loss, nothing trained": (
        loss_base(CONFIG, 0.25, 0.26, BRACKETED),
        loss_at(History().snapshot(), None),
    ),
    "fit": (fit(2), fit_update((2.0, 0.1), [(0.5, 0.0), (1.0, 0.2)])),
    "fit, nothing trained": (fit(64), fit_update(None)),
    "slope": (slope_base(CONFIG, BRACKETED, (3.0, 0.0)), slope_update(history(700))),
    "speed-up": (speed_up_figure(LINES, 3, Baseline(Device.ONE_CORE, 1.4), BRACKETED), Update()),
    "speed-up, nothing measured": (speed_up_figure([], 2, Baseline(Device.ONE_GPU), BRACKETED), Update()),
    "efficiency": (efficiency_figure(LINES, 3, BRACKETED), Update()),
    "waterfall": (waterfall_figure(WATERFALLS, BRACKETED), Update()),
    "waterfall of one": (waterfall_figure(WATERFALLS[:1], BRACKETED), Update()),
    "waterfall of nothing": (waterfall_figure((), BRACKETED), Update()),
    "waterfall, too noisy": (waterfall_figure(NOISY, BRACKETED), Update()),
    "exchange": (curve_figure(exchange_curves(EXCHANGES), mark(EXCHANGES, 512, 2), BRACKETED), NOTHING_NEW),
    "exchange, nothing measured": (curve_figure((), None, BRACKETED), NOTHING_NEW),
    "buckets": (buckets_figure(EXCHANGED, BRACKETED), NOTHING_NEW),
    "accumulation": (accumulation_figure(EXCHANGED, BRACKETED), NOTHING_NEW),
    "map": (map_figure("⟦replicas⟧", CURVES, STUDY, BRACKETED), Update()),
    "map, begun": (map_figure("⟦replicas⟧", CURVES[:1], STUDY, BRACKETED), Update()),
    "surface": (surface(), surface_update([0.0, 1.0], [0.5, 0.2], (1.0, 0.2))),
    "sweep": (sweep_map_of(TUNED, "global_batch_size", "learning_rate"), NOTHING_NEW),
    "sweep, turned": (sweep_map_of(TUNED, "learning_rate", "global_batch_size"), NOTHING_NEW),
    "sweep of one setting without a value": (sweep_map_of(HOPELESS, "global_batch_size", None), NOTHING_NEW),
    "best so far": (best_figure(TUNED, best_so_far(TUNED), BRACKETED), NOTHING_NEW),
    "best of nothing": (best_figure(HOPELESS, best_so_far(HOPELESS), BRACKETED), NOTHING_NEW),
    "all settings": (parallel_figure(SEEDED, BRACKETED), NOTHING_NEW),
    "all settings, nothing found": (parallel_figure(HOPELESS, BRACKETED), NOTHING_NEW),
    "what matters": (importance_figure(importances(TUNED), BRACKETED), NOTHING_NEW),
    "what matters, too early": (importance_figure((), BRACKETED), NOTHING_NEW),
    "spread": (spread_figure(slope_spreads(SPREAD), BRACKETED), NOTHING_NEW),
}


REPLICAS = {f"replica-{rank}": {f"series-{rank % 8 + 1}"} for rank in range(64)}
PHASES = {phase.value: {f"series-{place}"} for place, phase in enumerate(Phase, start=1)}
BLOCKS = {f"block-{rank}": {f"series-{rank % 8 + 1}", f"series-{rank % 8 + 1}@0.3"} for rank in range(20)}
CURVE_ROLES = {"curve-0": {"series-1"}, "law-0": {"series-1"}, "curve-1": {"series-2"}}
PART_ROLES = {
    f"part-{part}": {f"series-{place}", "background", "text"} for place, part in enumerate(Part, start=1)
}
OF_ONE = {"levels": {"muted"}, "step": {"muted", "text"}, "device": {"text"}, "cpu": {"text"}}
MARK_ROLES = {
    f"mark-{status}": {"reference"}
    for status in ("diverged", "pruned", "not_reached", "stopped", "failed", "running")
}

ROLES: dict[str, dict[str, set[str]]] = {
    "shards": REPLICAS | {"true": {"text"}},
    "timeline": PHASES | BLOCKS | {"block-sizes": {"series-1", "series-2", "text"}},
    "timeline of many": PHASES | BLOCKS,
    "memory": {"memory": {"series-1"}, "received": {"series-2"}, "sent": {"series-4"}},
    "memory that nobody knows": {"memory": {"series-1"}, "received": {"series-2"}, "sent": {"series-4"}},
    "loss": {
        "room": set(),
        "loss": {"primary"},
        "now": {"primary"},
        "noise-floor": {"reference"},
        "optimum": {"reference"},
    },
    "fit": REPLICAS | {"ghosts": {"muted@0.45"}, "true": {"text"}, "fit": {"primary"}},
    "slope": {
        "true-slope": {"reference", "text"},
        "true-intercept": {"reference", "text"},
        "slope": {"primary"},
        "intercept": {"series-1"},
    },
    "speed-up": CURVE_ROLES | {"ideal": {"reference"}, "one": {"reference"}, "cpu": {"reference"}},
    "efficiency": CURVE_ROLES | {"ideal": {"reference"}},
    "waterfall": PART_ROLES | OF_ONE,
    "waterfall of one": PART_ROLES | OF_ONE,
    "waterfall of nothing": {"levels": {"muted"}, "step": {"text"}},
    "waterfall, too noisy": {uid: {"muted@0.35", "background", "text"} for uid in PART_ROLES}
    | OF_ONE
    | {"step": {"muted@0.35", "text"}},
    "exchange": {
        "curve-all_reduce-2": {"series-1"},
        "curve-all_reduce-3": {"series-2"},
        "curve-ring-3": {"series-3"},
        "curve-naive-3": {"series-4"},
        "fitted": {"text"},
        "gradient": {"primary"},
        "gradient-times": {"primary"},
    },
    "buckets": {
        "computing": {"series-1", "background"},
        "shown": {"series-2", "background"},
        "hidden": {"series-5", "background"},
    },
    "accumulation": {
        "each": {"series-2", "background", "text"},
        "once": {"series-1", "background", "text"},
    },
    "map": {"map": {"sequential"}, "pays": {"primary"}},
    "surface": {
        "surface": {"sequential", "text@0.3"},
        "true": {"text"},
        "optimum": {"text"},
        "path": {"primary"},
        "now": {"primary"},
    },
    "sweep": MARK_ROLES | {"map": {"sequential"}, "best": {"background", "text"}, "rule": {"primary"}},
    "sweep of one setting without a value": MARK_ROLES | {"map": {"sequential"}},
    "best so far": {"trials": {"series-1@0.7"}, "best": {"primary"}},
    "best of nothing": {"trials": {"series-1@0.7"}, "best": {"primary"}},
    "all settings": {
        "lines-without": {"muted@0.45"},
        "lines-others": {"series-1@0.4"},
        "lines-good": {"primary"},
    },
    "what matters": {"importance-main": {"series-1"}, "importance-total": {"muted"}},
    "spread": {"formula": {"reference"}, "spread-0": {"series-1"}, "spread-1": {"series-2"}},
}
"""Roles of each trace, by the figure's name here and the trace's uid; "loss, nothing trained" is a "loss" too."""


def roles_in(value: object) -> set[str]:
    """All roles in a part of a figure, without the prefix."""
    if isinstance(value, str):
        return {value.removeprefix("role:")} if value.startswith("role:") else set()
    if isinstance(value, dict):
        value = list(value.values())
    return set().union(*map(roles_in, value)) if isinstance(value, list | tuple) else set()


def unpacked(spec: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(spec["bdata"]), dtype=f"<{spec['dtype']}")


def colored(value: object) -> object:
    if isinstance(value, str) and value.startswith("role:"):
        return "Blues" if value == "role:sequential" else "#123456"
    if isinstance(value, dict):
        return {name: colored(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [colored(item) for item in value]
    return value


@pytest.mark.parametrize("name", FIGURES)
def test_base_and_update_together_are_a_figure_that_plotly_accepts(name: str) -> None:
    base, update = FIGURES[name]
    traces = [trace | update.traces.get(trace["uid"], {}) for trace in base.traces]
    go.Figure(colored({"data": traces, "layout": base.layout | update.layout}))


@pytest.mark.parametrize("name", FIGURES)
def test_an_update_changes_only_traces_that_the_base_has(name: str) -> None:
    base, update = FIGURES[name]
    uids = [trace["uid"] for trace in base.traces]
    assert len(set(uids)) == len(uids)
    assert set(update.traces) <= set(uids)


@pytest.mark.parametrize("name", FIGURES)
def test_every_text_went_through_the_translator(name: str) -> None:
    base, _update = FIGURES[name]
    assert base.name.startswith("⟦")
    assert base.description.startswith("⟦")
    assert base.layout["title"]["text"] == base.name
    for trace in base.traces:
        assert trace.get("name", "⟦").startswith("⟦")


@pytest.mark.parametrize("name", FIGURES)
def test_each_trace_has_the_role_of_what_it_shows(name: str) -> None:
    base, update = FIGURES[name]
    expected = ROLES[name if name in ROLES else name.partition(",")[0]]
    for trace in base.traces:
        assert roles_in(trace | update.traces.get(trace["uid"], {})) == expected[trace["uid"]], trace["uid"]


def test_no_role_is_expected_of_a_trace_that_no_figure_has() -> None:
    drawn = {trace["uid"] for base, _update in FIGURES.values() for trace in base.traces}
    assert {uid for expected in ROLES.values() for uid in expected} <= drawn


def test_each_curve_shows_its_own_column() -> None:
    known = history(300)
    curves_of = {**loss_at(known, None).traces, **slope_update(known).traces}
    epochs = np.arange(1, 301)
    for column in ("loss", "slope", "intercept"):
        assert np.array_equal(unpacked(curves_of[column]["x"]), epochs)
        values = 75 / epochs + COLUMNS.index(column)
        assert np.array_equal(unpacked(curves_of[column]["y"]), values.astype(np.float32))
    assert curves_of["now"]["y"] == [pytest.approx(75 / 300)]


def test_a_low_loss_has_one_end_of_the_colours_wherever_it_is_shown() -> None:
    sweep = sweep_map_of(TUNED, "global_batch_size", "learning_rate")
    for figure in (sweep, surface(), map_figure("", CURVES, STUDY, BRACKETED)):
        (shown,) = (trace for trace in figure.traces if "role:sequential" in trace.values())
        assert not shown.get("reversescale"), "more is stronger, of a loss as of a speed-up"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_larger_number_is_further_from_the_background_in_both_themes(theme: str) -> None:
    colors = tomllib.loads(CONFIG_FILE.read_text())["theme"][theme]
    background, *steps = map(luminance, [colors["backgroundColor"], *colors["chartSequentialColors"]])
    contrasts = [(max(step, background) + 0.05) / (min(step, background) + 0.05) for step in steps]
    assert len(contrasts) == 10, "as Streamlit wants them"
    assert contrasts == sorted(contrasts)
    assert contrasts[0] >= 1.25, "the smallest number is not taken for nothing"


def luminance(color: str) -> float:
    """Relative luminance of a colour, as WCAG defines it."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_an_error_bar_is_a_standard_error_in_the_unit_of_its_axis() -> None:
    noisy = study_of(lambda point: float(point.replicas), noise=0.1, hidden_widths=(8,))
    (curve,) = curves(noisy)
    lines = [Line("⟦replicas⟧", curve, None, "")]
    errors = [point.speed_up.standard_error for point in curve.points]
    assert max(errors) > 0
    for figure, expected in (
        (speed_up_figure(lines, 3, Baseline(Device.ONE_CORE), BRACKETED), errors),
        (
            efficiency_figure(lines, 3, BRACKETED),
            [e / p.replicas for e, p in zip(errors, curve.points, strict=True)],
        ),
    ):
        bars = traces_of(figure)["curve-0"]["error_y"]
        assert isinstance(bars, dict) and bars["array"] == pytest.approx(expected)


def test_a_refresh_of_both_live_figures_is_small() -> None:
    updates: list[Update] = [
        loss_at(history(MAX_POINTS, 60), 140),
        fit_update((2.0, 0.1), [(1.0, 0.0)] * 12),
    ]
    assert len(json.dumps([asdict(update) for update in updates])) <= MAX_REFRESH_BYTES + 2_500
    updates[0] = loss_at(history(MAX_POINTS), None)
    assert len(json.dumps([asdict(update) for update in updates])) <= MAX_REFRESH_BYTES


def test_a_long_run_is_drawn_with_few_points() -> None:
    spec = loss_at(history(20_000), None).traces["loss"]
    assert len(spec["x"]["bdata"]) * 3 / 4 / 4 <= MAX_POINTS + 1


def test_packed_numbers_are_float32_and_keep_their_shape() -> None:
    assert packed([1.0, np.nan]) == {"dtype": "f4", "bdata": "AACAPwAAwH8="}
    assert packed(np.array([1, 65_535])) == {"dtype": "u2", "bdata": "AQD//w=="}
    assert packed(np.array([1, 65_536]))["dtype"] == packed(np.array([-1]))["dtype"] == "f4"
    assert packed(()) == {"dtype": "f4", "bdata": ""}
    assert packed(np.zeros((2, 3)))["shape"] == "2, 3"
    assert packed([1e300]) == packed([np.inf])


@pytest.mark.parametrize(
    ("exponent", "code", "text"),
    [(-1.0, "en", "0.1"), (3.0, "pt_BR", "1.000"), (-8.0, "en", "1×10⁻⁸"), (-0.6, "pt_BR", "0,251")],
)
def test_a_tick_is_a_whole_power_or_has_three_digits(exponent: float, code: str, text: str) -> None:
    assert power_of_ten(exponent, language(code)) == text


def test_reference_lines_are_named_below_the_lowest_where_no_loss_can_be() -> None:
    base = loss_base(CONFIG, 0.25, 0.249, language("pt_BR"))
    (label,) = base.layout["annotations"]
    assert label["text"] == "piso de ruído 0,250 · mínimos quadrados 0,249"
    assert label["yanchor"] == "top"
    assert label["y"] == pytest.approx(np.log10(0.249)), "as the axis counts"
    assert "bgcolor" not in label


def test_a_rate_change_is_named_on_the_side_that_has_the_room() -> None:
    def labels(epoch: int) -> list[dict[str, Any]]:
        result = History()
        result.fold(LearningRateChanged(epoch, 0.05))
        found: list[dict[str, Any]] = loss_update(result.snapshot(), None, None, 1000, BRACKETED).layout[
            "annotations"
        ]
        return found

    assert [(label["text"], label["xanchor"]) for label in labels(100)] == [("⟦rate 0.05⟧", "left")]
    assert [(label["text"], label["xanchor"]) for label in labels(900)] == [("⟦rate 0.05⟧", "right")]


@pytest.mark.parametrize(("noise_floor", "optimum_loss", "num_lines"), [(0.0, 1e-14, 0), (0.25, 1e-15, 1)])
def test_a_line_that_a_logarithm_cannot_show_is_left_out(
    noise_floor: float, optimum_loss: float, num_lines: int
) -> None:
    assert len(loss_base(CONFIG, noise_floor, optimum_loss, BRACKETED).layout["annotations"]) == num_lines


def test_labels_of_learning_rates_do_not_stand_on_each_other() -> None:
    crowded = History()
    crowded.fold(EpochBlock(1, *[np.ones(1000)] * 5))
    for epoch in (500, 505, 510):
        crowded.fold(LearningRateChanged(epoch, 0.02))
    layout = loss_at(crowded.snapshot(), None).layout
    assert [label["x"] for label in layout["annotations"]] == [510]
    assert layout["shapes"][0]["path"] == "M500,0V1M505,0V1M510,0V1"


def test_look_back_marks_the_epoch_and_its_loss() -> None:
    update, row = loss_at(history(300), 140), history(300).row(140)
    assert row is not None
    assert (update.traces["now"]["x"], update.traces["now"]["y"]) == ([140], [row.loss])
    assert update.layout["shapes"][-1]["path"] == "M140,0V1"


def test_look_back_marks_the_very_epoch_where_the_history_has_been_thinned() -> None:
    thinned = history(20_000)
    assert thinned.width > 4
    exact = Row(10_002, 1.25, 2.5, 0.5, 0.01, 9.0)
    update = loss_update(thinned, exact, 10_002, 20_000, BRACKETED)
    assert (update.traces["now"]["x"], update.traces["now"]["y"]) == ([10_002], [1.25])
    assert update.layout["shapes"][-1]["path"] == "M10002,0V1"


def test_colour_and_symbol_together_name_each_of_64_replicas() -> None:
    markers = [trace["marker"] for trace in fit(64).traces if trace["mode"] == "markers"]
    assert len({(marker["color"], marker["symbol"]) for marker in markers}) == 64


@pytest.mark.parametrize(("num_replicas", "named"), [(MAX_NAMED_REPLICAS, True), (MAX_NAMED_REPLICAS + 1, False)])
def test_the_legend_names_replicas_while_they_are_few(num_replicas: int, *, named: bool) -> None:
    markers = [trace for trace in fit(num_replicas).traces if trace["mode"] == "markers"]
    assert [trace["showlegend"] for trace in markers] == [named] * num_replicas


def test_the_data_is_inside_the_axes_and_so_is_the_true_line() -> None:
    figure = fit_base([0.0], [40.0], [0], 1, CONFIG, BRACKETED)
    low, high = figure.layout["yaxis"]["range"]
    assert low < -15
    assert high > 40


def test_a_surface_without_noise_has_a_finite_bottom() -> None:
    contours = surface().traces[0]
    assert all(np.isfinite(contours["colorbar"]["tickvals"]))
    assert contours["z"]["shape"] == "20, 30"


def test_a_timeline_has_a_bar_for_each_span_in_its_lane() -> None:
    figure = timeline_figure(step((3, 2, 1)), "⟦step⟧", 0.02, BRACKETED)
    bars = [trace for trace in figure.traces if trace["type"] == "bar"]
    assert [trace["uid"] for trace in bars] == [phase.value for phase in Phase]
    gather = bars[list(Phase).index(Phase.GATHER)]
    assert gather["y"] == [0, 1, 2]
    assert gather["base"] == pytest.approx([3.0] * 3) and gather["x"] == pytest.approx([1.0] * 3)
    assert gather["name"] == "⟦gather 10 %⟧"
    marks = {(trace["marker"]["color"], trace["marker"]["pattern"]["shape"]) for trace in bars}
    assert len(marks) == len(Phase)
    assert len({pattern for _color, pattern in marks}) == len(Phase), "colour alone tells no two phases apart"


def cut(*sizes: int) -> dict[str, dict[str, Any]]:
    """The traces of the timeline of a step whose replicas have so many samples."""
    whole = step((1,) * len(sizes))
    replicas = tuple(
        replace(replica, shard_size=size) for replica, size in zip(whole.replicas, sizes, strict=True)
    )
    trace = replace(whole, replicas=replicas, num_samples=sum(sizes))
    return traces_of(timeline_figure(trace, "⟦step⟧", 0.02, BRACKETED))


def test_the_batch_is_cut_into_blocks_that_go_to_their_lanes() -> None:
    blocks = cut(6, 3, 3)
    sides = [(blocks[f"block-{rank}"]["y"][0], blocks[f"block-{rank}"]["y"][-2]) for rank in range(3)]
    assert sides == [pytest.approx(side) for side in ((-0.5, 1.0), (1.0, 1.75), (1.75, 2.5))], "as its samples are"
    for rank in range(3):
        block = blocks[f"block-{rank}"]
        assert (block["x"][0], block["x"][2]) == (0, 1)
        assert sum(block["y"][2:4]) / 2 == rank, "it ends at the lane"
    assert blocks["block-sizes"]["text"] == ["6", "3", "3"]
    assert blocks["block-1"]["text"] == "⟦⟦replica 1⟧: 3 samples⟧"


def test_an_idle_replica_gets_an_empty_block() -> None:
    blocks = cut(3, 3, 3, 0)
    idle, busy = blocks["block-3"], blocks["block-2"]
    assert (idle["fillcolor"], idle["line"]["dash"]) == ("role:background@0", "dot")
    assert idle["x"][0] > busy["x"][0] == 0, "it takes nothing of the batch"
    assert busy["y"][-2] == pytest.approx(3.5)
    assert blocks["block-sizes"]["text"][3] == "0"
    assert blocks["block-sizes"]["y"][3] == 3


def test_a_batch_without_samples_is_not_divided_by() -> None:
    assert all(np.isfinite(cut(0, 0)[f"block-{rank}"]["y"]).all() for rank in range(2))


def test_two_timelines_of_one_axis_can_be_compared() -> None:
    short, long = (timeline_figure(step((3,)), "⟦step⟧", 0.02, BRACKETED) for _ in range(2))
    assert short.layout["xaxis"]["range"] == long.layout["xaxis"]["range"]


def test_shards_look_as_in_the_fit_chart() -> None:
    for of_step, of_fit in zip(shards().traces[:4], fit(4).traces[:4], strict=True):
        for name in ("uid", "name", "marker"):
            assert of_step[name] == of_fit[name]


def test_memory_is_in_a_unit_that_fits() -> None:
    figure = memory_figure(step((3 * 2**20, 2**20)), BRACKETED)
    assert figure.layout["yaxis"]["title"]["text"] == "⟦MiB⟧"
    assert figure.traces[0]["y"] == [3.0, 1.0]


@pytest.mark.parametrize(
    ("memory", "ratio"), [((30, 10, 15), 2.0), ((30,), None), ((None, None), None), ((30, 0), None)]
)
def test_the_imbalance_is_that_of_the_first(memory: tuple[int | None, ...], ratio: float | None) -> None:
    assert imbalance(step(memory).replicas) == ratio


def test_a_map_divides_where_parallelism_pays_from_where_not() -> None:
    whole, begun = map_figure("", CURVES, STUDY, BRACKETED), map_figure("", CURVES[:1], STUDY, BRACKETED)
    assert [trace["type"] for trace in whole.traces] == ["heatmap", "contour"]
    assert [trace["type"] for trace in begun.traces] == ["heatmap"]
    assert whole.traces[0]["z"] == [
        [1.0, pytest.approx(0.24), pytest.approx(0.36)],
        [1.0, *[pytest.approx(v) for v in (1.92, 2.88)]],
    ]


def test_points_that_share_cores_are_hollow() -> None:
    curve = next(
        trace
        for trace in speed_up_figure(LINES, 3, Baseline(Device.ONE_CORE, 1.4), BRACKETED).traces
        if trace["uid"] == "curve-0"
    )
    assert curve["marker"]["symbol"] == ["circle", "circle", "circle-open"]
    assert curve["text"][2] == ", ⟦oversubscribed⟧"


def traces_of(figure: Figure) -> dict[str, dict[str, Any]]:
    return {trace["uid"]: trace for trace in figure.traces}


def test_a_map_names_the_run_of_each_cell_and_draws_the_rule() -> None:
    traces = traces_of(sweep_map_of(TUNED, "global_batch_size", "learning_rate"))
    runs, values = traces["map"]["customdata"], traces["map"]["z"]
    assert isinstance(runs, list) and isinstance(values, list)
    number_of = {trial.values: trial.run_id for trial in TUNED.trials}
    assert runs[1][2] == number_of[50, 0.01]
    assert values[2][0] is None, "what diverged has no value"
    assert traces["mark-diverged"]["customdata"] == [number_of[5, 0.1]]
    rule = linear_rule(TUNED)
    assert rule is not None and rule.learning_rate == 0.001
    heights = traces["rule"]["y"]
    assert isinstance(heights, list)
    assert heights == pytest.approx([0, np.log10(2), 1])


def test_lines_break_between_trials_and_name_their_runs() -> None:
    traces = traces_of(parallel_figure(SEEDED, BRACKETED))
    x, y, runs = (traces["lines-others"][name] for name in ("x", "y", "customdata"))
    assert isinstance(x, list) and isinstance(y, list) and isinstance(runs, list)
    assert len(x) == len(y) == len(runs)
    assert x[4] is None and y[4] is None
    assert all(0 <= height <= 1 for height in y if height is not None)
