"""Measure how training scales over replicas: `python -m dpdash scaling`."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from dpdash.cli.study import OWNER, kept, measured, written
from dpdash.cli.terminal import (
    ENGLISH_WORDS,
    FAILED,
    between,
    complain,
    option,
    or_exit,
    print_json,
    print_table,
    require_writable,
    table_of,
    write_result,
)
from dpdash.core.config import EngineName, RunConfig
from dpdash.core.scaling.plan import LEAST_SECONDS, MOST_REPEATS, MOST_SECONDS, ScalingMode, StudyPlan
from dpdash.core.scaling.study import Study, StudyStatus
from dpdash.core.scaling.waterfall import Duration, Part, Waterfall
from dpdash.core.settings import read_settings
from dpdash.findings.scaling.curves import curves
from dpdash.findings.scaling.parts import waterfalls
from dpdash.findings.scaling.shown import shown_parts
from dpdash.findings.scaling.verdict import verdicts
from dpdash.scaling.export import as_csv, as_values, parts_csv
from dpdash.scaling.live import LiveStudy
from dpdash.scaling.measure import require_engines
from dpdash.scaling.service import new_study

USUAL_WIDTH, USUAL_DEPTH = 64, 1


def scaling(
    engines: Annotated[
        str,
        typer.Option(
            metavar=f"<{'|'.join(name for name in EngineName if name is not EngineName.SINGLE)},…>",
            help="Engines to measure beside one device, with commas between them.",
        ),
    ] = EngineName.CPU_REPLICAS.value,
    replicas: Annotated[
        int,
        typer.Option(
            help=f"The most replicas; 1, 2, … up to there are measured ({between(StudyPlan, 'replicas')})."
        ),
    ] = 2,
    mode: Annotated[
        ScalingMode, typer.Option(help="strong: the global batch is fixed; weak: the batch of a replica is.")
    ] = ScalingMode.STRONG,
    samples: Annotated[str, option("samples")] = str(RunConfig.model_fields["samples"].default),
    hidden_width: Annotated[
        str,
        typer.Option(
            metavar="<int,…>",
            help="Units in each hidden layer; several, with commas between them, make a map "
            f"({between(RunConfig, 'hidden_width')}).",
        ),
    ] = str(USUAL_WIDTH),
    hidden_depth: Annotated[str, option("hidden_depth")] = str(USUAL_DEPTH),
    repeats: Annotated[int, typer.Option(help=f"How often each point is measured, 1 to {MOST_REPEATS}.")] = 7,
    seconds: Annotated[
        float, typer.Option(help=f"Of each measurement, {LEAST_SECONDS} to {MOST_SECONDS}.")
    ] = 0.25,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write every measurement into this file.")] = None,
    parts: Annotated[
        Path | None, typer.Option("--parts-csv", help="Write the parts of each step into this file.")
    ] = None,
) -> None:
    """Measure the speed-up of 1, 2, … replicas on this machine; Ctrl+C keeps what is measured."""
    values = {
        "engines": engines,
        "mode": mode,
        "replicas": replicas,
        "samples": samples,
        "hidden_widths": hidden_width,
        "hidden_depth": hidden_depth,
        "repeats": repeats,
        "seconds": seconds,
    }
    plan = or_exit(lambda: _plan(values))
    or_exit(lambda: require_engines(plan))
    require_writable(csv)
    require_writable(parts)
    url = or_exit(read_settings).database_url
    with kept(url, lambda store: store.studies) as keep:
        study = measured(LiveStudy(new_study(plan, OWNER), keep=keep), quiet=as_json)
    if as_json:
        print_json(as_values(study))
    else:
        _print(study)
    write_result(csv, as_csv(study))
    write_result(parts, parts_csv(study))
    if study.status is StudyStatus.FAILED:
        complain(study.message)
        raise typer.Exit(FAILED)


def _plan(values: dict[str, Any]) -> StudyPlan:
    """The plan that the options name.

    Raises:
        DpdashError: when there is no such plan.
    """
    lists = ("engines", "hidden_widths")
    parts = {name: tuple(part.strip() for part in values[name].split(",") if part.strip()) for name in lists}
    return StudyPlan.parse(values | parts)


def _print(study: Study) -> None:
    columns = ("width", "replicas", "ms a step", "speed-up", "from", "to", "± error", "efficiency")
    table = table_of(columns, ("engine",), justify="right")
    shown = curves(study)
    for curve in shown:
        for point in curve.points:
            speed_up = point.speed_up
            marks = f"{point.replicas}{' oversubscribed' if point.is_oversubscribed else ''}"
            numbers = (speed_up.median, speed_up.low, speed_up.high, speed_up.standard_error)
            table.add_row(
                str(curve.hidden_width),
                marks,
                ENGLISH_WORDS.number(1000 * point.step_seconds),
                *(ENGLISH_WORDS.number(number) for number in numbers),
                f"{100 * point.efficiency:.0f} %",
                ENGLISH_WORDS.name(curve.engine),
            )
    if shown:
        print_table(table)
    else:
        typer.echo("Nothing could be compared: the study ended before its first round did.")
    _print_parts(waterfalls(study))
    for said in verdicts(study, shown):
        typer.echo(f"{ENGLISH_WORDS.name(said.engine)}:")
        for sentence in said.sentences:
            typer.echo(f"  {written(sentence)}")
    if study.status is not StudyStatus.FINISHED:
        done, wanted = len(study.measurements), study.num_wanted
        typer.echo(f"Ended after {done} of {wanted} measurements.")


def _print_parts(found: Sequence[Waterfall]) -> None:
    """A column for each part of a step; what cannot be told from nothing stands in brackets."""
    parts = [part for part in Part if any(part in one.parts for one in found)]
    if not parts:
        return
    columns = ("width", "replicas", *map(ENGLISH_WORDS.name, parts), "= ms a step", "± error")
    table = table_of(columns, ("engine",), justify="right")
    for one in found:
        shown = shown_parts(one)
        cells = (_part(one.parts[part], shown.parts[part]) if part in one.parts else "" for part in parts)
        error = shown.written(Duration(one.step.error, 0))
        marks = " too noisy" if one.is_noisy else ""
        table.add_row(
            str(one.hidden_width),
            f"{one.replicas}{marks}",
            *cells,
            ENGLISH_WORDS.decimal(shown.step),
            ENGLISH_WORDS.decimal(error),
            ENGLISH_WORDS.name(one.engine),
        )
    print_table(table)


def _part(duration: Duration, shown: Decimal) -> str:
    text = ENGLISH_WORDS.decimal(shown)
    return f"({text})" if duration.is_lost_in_noise else text
