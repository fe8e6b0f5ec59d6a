"""A report of a run or of a comparison: one HTML file that opens without a server and without the network."""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from functools import cache
from html import escape
from typing import Final

import numpy as np

from dpdash.charts.export import mixed, standalone_page
from dpdash.charts.loss import MAX_POINTS
from dpdash.charts.overlay import Axes, OverlaidRun, Points, common_floor, overlay_figure
from dpdash.charts.run import RunView, fit_figure, loss_figure, newest
from dpdash.charts.spec import MIXES, Figure, Update
from dpdash.core.config import DDP_ONLY, FIELD_NAMES, TRUE_INTERCEPT, TRUE_SLOPE, RunConfig
from dpdash.core.history import HistorySnapshot
from dpdash.core.optimum import noise_floor, slope_error, standard_errors
from dpdash.core.places import THEME
from dpdash.core.translations import Language
from dpdash.core.words import NOT_SET, moment
from dpdash.files.run import WholeRun
from dpdash.findings.run import verdict
from dpdash.problem.preview import line_in_own_units, preview, target

MOST_CHARTED: Final = 10
"""Runs of a comparison that have charts of their own; the tables and the common chart have all of them."""
DIGITS: Final = 6
STYLE: Final = (
    "<style>table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}"
    "th,td{text-align:left;padding:.25rem .75rem;border-bottom:1px solid #ccc;vertical-align:top}"
    "tr.differs{font-weight:bold}</style>"
)

Write = Callable[[RunView], str]


def reported(run: WholeRun, language: Language) -> RunView:
    """A stored run at its last epoch, under its name."""
    record = run.record
    return replace(
        newest(record.run_id, record.config, preview(record.config), record.status, run.history),
        name=run.name(language),
        created_at=record.created_at,
        is_imported=record.is_imported,
        note=record.note,
    )


def report(runs: Sequence[RunView], language: Language) -> str:
    """The page: what was found, the numbers and the settings side by side, and the charts."""
    _ = language.text
    if len(runs) == 1:
        title, text = language.problem(runs[0].config), _in_short(runs[0], language)
    else:
        title = _("y = 3x + noise: {number} runs side by side").format(number=len(runs))
        if any(run.config.data is not None for run in runs):
            title = _("{number} runs side by side").format(number=len(runs))
        text = _("Settings in which the runs differ stand first, marked with ≠.")
    tables = STYLE + _numbers(runs, language) + _settings(runs, language)
    return standalone_page(title, text, _figures(runs, language), light_colors(), language.tag, tables)


@cache
def light_colors() -> Mapping[str, str]:
    """The colour of every role in the light theme, as #rrggbb."""
    theme = tomllib.loads(THEME.read_text(encoding="utf-8"))["theme"]["light"]
    text, background = theme["textColor"], theme["backgroundColor"]
    return {
        "text": text,
        "background": background,
        "primary": theme["primaryColor"],
        **{role: mixed(text, background, share) for role, share in MIXES.items()},
        **{f"series-{place}": color for place, color in enumerate(theme["chartCategoricalColors"], start=1)},
    }


def _in_short(run: RunView, language: Language) -> str:
    told = [name for name in ("data", *FIELD_NAMES) if _is_told(run, name)]
    settings = ", ".join(f"{language.title(setting).lower()} {_value(run, setting, language)}" for setting in told)
    slope, intercept = (language.number(value) for value in run.line)
    _ = language.text
    return _("Slope {slope}, intercept {intercept}. Settings: {settings}.").format(
        slope=slope, intercept=intercept, settings=settings
    )


def _numbers(runs: Sequence[RunView], language: Language) -> str:
    _ = language.text

    def number(value: float | None) -> str:
        return "–" if value is None else language.number(value, DIGITS)

    slope_name, intercept_name = _("Slope"), _("Intercept")
    if all(run.config.true_line is not None for run in runs):
        slope_name = _("Slope (true {true})").format(true=language.setting(TRUE_SLOPE))
        intercept_name = _("Intercept (true {true})").format(true=language.setting(TRUE_INTERCEPT))
    lines: list[tuple[str, Write]] = [
        (_("Id"), lambda run: run.run_id or "–"),
        (_("What is happening"), lambda run: _happening(run, language)),
        (_("Status"), lambda run: _status(run, language)),
        (_("Started"), lambda run: _started(run)),
        (_("Epochs trained"), lambda run: number(_num_epochs(run))),
        (_("Loss"), lambda run: number(run.row.loss if run.row else None)),
        (_("Lowest loss"), lambda run: number(_lowest_loss(run))),
        (_("Loss of the best line of this data"), lambda run: number(run.preview.optimum.loss)),
        (_("Noise floor"), lambda run: number(noise_floor(run.config))),
        (slope_name, lambda run: number(run.line[0])),
        (_("Slope of the best line of this data"), lambda run: number(run.preview.optimum.slope)),
        (_("Standard error of that slope"), lambda run: number(slope_error(run.config, run.preview.moments))),
        (intercept_name, lambda run: number(run.line[1])),
        *_of_own_data(runs, language, number),
        (_("Seconds of training"), lambda run: number(run.history.seconds if run.history else None)),
        (_("Epochs per second"), lambda run: number(run.history.epochs_per_second if run.history else None)),
        (_("Trained on"), lambda run: _machine(run, language)),
        (_("Note"), lambda run: run.note),
    ]
    names = [run.name for run in runs]
    if len(runs) > 1:
        # As the legend of the figure numbers them.
        names = [f"{place} {name}" for place, name in enumerate(names, 1)]
    table = [(_("Run"), names), *((name, [write(run) for run in runs]) for name, write in lines)]
    return _table(table, marks_differences=False)


def _of_own_data(
    runs: Sequence[RunView], language: Language, number: Callable[[float | None], str]
) -> list[tuple[str, Write]]:
    """What is said besides where a run was trained on somebody's own data."""
    _ = language.text

    def intercept_error(run: RunView) -> str:
        errors = None if run.config.data is None else standard_errors(run.preview.moments)
        return number(None if errors is None else errors[1])

    def in_own_units(run: RunView) -> str:
        line = line_in_own_units(run.config, run.line)
        return "–" if line is None else f"y = {number(line[0])} x + {number(line[1])}"

    if all(run.config.data is None for run in runs):
        return []
    return [
        (_("Intercept of the best line of this data"), lambda run: number(run.preview.optimum.intercept)),
        (_("Standard error of that intercept"), intercept_error),
        (_("Line in the units of the file"), in_own_units),
    ]


def _settings(runs: Sequence[RunView], language: Language) -> str:
    def lines() -> Iterator[tuple[str, list[str]]]:
        for name in RunConfig.model_fields:
            if any(_is_told(run, name) for run in runs):
                yield language.title(name), [_value(run, name, language) for run in runs]

    # What differs comes first, each kind in the order of the fields.
    return _table(sorted(lines(), key=lambda line: len(set(line[1])) == 1), marks_differences=True)


def _is_told(run: RunView, setting: str) -> bool:
    """Whether a setting says something of a run: it is set, or another than what all runs of its engine have."""
    value = getattr(run.config, setting)
    return value != RunConfig.model_fields[setting].default if setting in (*NOT_SET, *DDP_ONLY) else True


def _value(run: RunView, setting: str, language: Language) -> str:
    return language.value_of(setting, run.config, run.history.learning_rate_changes if run.history else ())


def _table(
    lines: Iterator[tuple[str, list[str]]] | list[tuple[str, list[str]]], *, marks_differences: bool
) -> str:
    rows = []
    for name, values in lines:
        differs = marks_differences and len(set(values)) > 1
        mark, style = (" ≠", " class='differs'") if differs else ("", "")
        cells = "".join(f"<td>{escape(value)}</td>" for value in values)
        rows.append(f"<tr{style}><th scope='row'>{escape(name)}{mark}</th>{cells}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _figures(runs: Sequence[RunView], language: Language) -> list[tuple[Figure, Update]]:
    of_one = [
        _titled(figure, run.name if len(runs) > 1 else "")
        for run in runs[:MOST_CHARTED]
        for figure in (loss_figure(run, language), fit_figure(run, language))
    ]
    if len(runs) == 1:
        return of_one
    curves = [
        OverlaidRun(number, run.name, _points(run.history), None, run.history.num_epochs)
        for number, run in enumerate(runs, 1)
        if run.history is not None and run.history.num_epochs
    ]
    floor = common_floor(noise_floor(run.config) for run in runs)
    return [(overlay_figure(curves, Axes(), floor, language), Update()), *of_one]


def _points(history: HistorySnapshot) -> Points:
    epochs, losses = history.curve("loss", MAX_POINTS)
    return Points(epochs.astype(np.float64), losses)


def _titled(drawn: tuple[Figure, Update], name: str) -> tuple[Figure, Update]:
    if not name:
        return drawn
    figure, update = drawn
    # Plotly reads tags in its texts.
    title = {**figure.layout["title"], "text": f"{escape(name)}: {figure.layout['title']['text']}"}
    return replace(figure, layout={**figure.layout, "title": title}), update


def _happening(run: RunView, language: Language) -> str:
    found = None if run.history is None else verdict(run.config, run.history, target(run.preview))
    return "–" if found is None else language.sentence(found.template, found.values)


def _status(run: RunView, language: Language) -> str:
    status = "–" if run.status is None else language.name(run.status)
    _ = language.text
    return _("{status}, imported from a file").format(status=status) if run.is_imported else status


def _machine(run: RunView, language: Language) -> str:
    started = run.history.started if run.history else None
    if started is None:
        return "–"
    _ = language.text
    counts = Counter(_(name) for name in started.devices)
    devices = ", ".join(name if count == 1 else f"{name} × {count}" for name, count in counts.items())
    if started.emulated:
        return _("{devices}: emulated, threads on the CPU stand in for GPUs").format(devices=devices)
    return devices


def _num_epochs(run: RunView) -> int:
    return run.history.num_epochs if run.history else 0


def _lowest_loss(run: RunView) -> float | None:
    return run.history.best_loss if run.history else None


def _started(run: RunView) -> str:
    return "–" if run.created_at is None else f"{moment(run.created_at, UTC)} UTC"
