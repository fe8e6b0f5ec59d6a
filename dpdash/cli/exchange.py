"""Measure what an exchange of gradients costs: `python -m dpdash exchange`."""

from pathlib import Path
from typing import Annotated

import typer

from dpdash.charts.exchange import written_bytes
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
from dpdash.core.config import RunConfig
from dpdash.core.scaling.exchange_study import DdpStep, ExchangePlan, ExchangeStudy
from dpdash.core.scaling.plan import LEAST_SECONDS, MOST_REPEATS, MOST_SECONDS
from dpdash.core.scaling.study import StudyStatus
from dpdash.core.scaling.waterfall import Duration
from dpdash.core.settings import read_settings
from dpdash.findings.scaling.exchange import ExchangeInStep, exchange_curves, in_step
from dpdash.findings.scaling.exchange_verdict import condition_sentences, mark, step_sentences, transfer_sentences
from dpdash.scaling.exchange_export import as_csv, as_values
from dpdash.scaling.live import LiveStudy
from dpdash.scaling.service import new_exchange
from dpdash.training.catalog import require

USUAL_WIDTH, USUAL_DEPTH = 512, 2


def exchange(
    replicas: Annotated[
        int,
        typer.Option(
            help=f"The most ranks; 2, 3, … up to there are measured ({between(ExchangePlan, 'replicas')})."
        ),
    ] = 2,
    samples: Annotated[str, option("samples")] = str(RunConfig.model_fields["samples"].default),
    hidden_width: Annotated[str, option("hidden_width")] = str(USUAL_WIDTH),
    hidden_depth: Annotated[str, option("hidden_depth")] = str(USUAL_DEPTH),
    repeats: Annotated[int, typer.Option(help=f"How often everything is measured, 1 to {MOST_REPEATS}.")] = 7,
    seconds: Annotated[
        float, typer.Option(help=f"Of each measurement, {LEAST_SECONDS} to {MOST_SECONDS}.")
    ] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write every measurement into this file.")] = None,
) -> None:
    """Measure all-reduce from 4 B to 64 MiB, buckets and accumulation; Ctrl+C keeps what is measured."""
    values = {
        "replicas": replicas,
        "samples": samples,
        "hidden_width": hidden_width,
        "hidden_depth": hidden_depth,
        "repeats": repeats,
        "seconds": seconds,
    }
    plan = or_exit(lambda: ExchangePlan.parse(values))
    or_exit(lambda: require(plan.config(DdpStep(plan.replicas))))
    require_writable(csv)
    url = or_exit(read_settings).database_url
    with kept(url, lambda store: store.exchanges) as keep:
        study = measured(LiveStudy(new_exchange(plan, OWNER), keep=keep), quiet=as_json)
    if as_json:
        print_json(as_values(study))
    else:
        _print(study)
    write_result(csv, as_csv(study))
    if study.status is StudyStatus.FAILED:
        complain(study.message)
        raise typer.Exit(FAILED)


def _print(study: ExchangeStudy) -> None:
    _print_curves(study)
    steps = in_step(study)
    if steps is not None:
        _print_steps(steps)
    marked = mark(study, study.plan.hidden_width, study.plan.hidden_depth)
    for sentence in (
        *transfer_sentences(study, marked),
        *step_sentences(study),
        *condition_sentences(study),
    ):
        typer.echo(written(sentence))
    if study.status is not StudyStatus.FINISHED:
        typer.echo(f"Ended after {len(study.measurements)} of {study.num_wanted} measurements.")


def _print_curves(study: ExchangeStudy) -> None:
    table = table_of(("ranks", "size", "ms", "from", "to", "by the line"), ("way",), justify="right")
    for curve in exchange_curves(study):
        for size in curve.sizes:
            line = None if curve.line is None else curve.line.seconds(size.num_bytes)
            numbers = [1e3 * seconds for seconds in (size.seconds, size.low, size.high)]
            table.add_row(
                str(curve.replicas),
                f"{written_bytes(size.num_bytes, ENGLISH_WORDS)}{' off' if size.is_off else ''}",
                *map(ENGLISH_WORDS.number, numbers),
                "" if line is None else ENGLISH_WORDS.number(1e3 * line),
                ENGLISH_WORDS.name(curve.way),
            )
    print_table(table)


def _print_steps(found: ExchangeInStep) -> None:
    table = table_of(("ms a step", "± error", "ms hidden"), ("step",))
    rows: list[tuple[str, Duration, Duration | None]] = [("all-reduce taken away", found.without, None)]
    for one in found.buckets:
        size = "torch's own" if one.cap_mb is None else f"{one.cap_mb:g} MiB"
        best = ", the best here" if one is found.best and len(found.buckets) > 1 else ""
        rows.append((f"buckets: {one.count}, {size}{best}", one.step, one.hidden))
    for several in found.accumulations:
        rows += [
            (f"{several.micro_batches} micro-batches, one exchange (no_sync)", several.once, None),
            (f"{several.micro_batches} micro-batches, an exchange after each", several.each, None),
        ]
    for name, step, hidden in rows:
        table.add_row(
            ENGLISH_WORDS.number(step.milliseconds),
            ENGLISH_WORDS.number(step.error_milliseconds),
            "" if hidden is None else ENGLISH_WORDS.number(hidden.milliseconds),
            name,
        )
    print_table(table)
