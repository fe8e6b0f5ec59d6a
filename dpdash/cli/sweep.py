"""Search over settings with many runs: `python -m dpdash sweep`."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from dpdash.cli.own_data import DataOption, StandardiseOption, with_own_data
from dpdash.cli.terminal import (
    ENGLISH_WORDS,
    FAILED,
    between,
    complain,
    or_exit,
    print_json,
    print_table,
    require_writable,
    signals_received,
    table_of,
    write_result,
)
from dpdash.core.errors import N_, DpdashError
from dpdash.core.limits import lifted
from dpdash.core.settings import ServerSettings, read_settings
from dpdash.core.sweep import MOST_TRIALS, Objective, SearchMethod, Sweep, SweepPlan, SweepStatus, Trial
from dpdash.core.sweep_axis import Axis
from dpdash.findings.sweep import SlopeSpread, as_good_as_the_best, importances, pooled_ratio, slope_spreads
from dpdash.runs.service import RunService
from dpdash.sweeps.presets import PRESETS, PresetName
from dpdash.sweeps.service import SweepService
from dpdash.training import catalog
from dpdash.training.processes.pool import TrainingProcesses

OWNER: Final = "command line"
POLL_SECONDS: Final = 0.1
SHUTDOWN_SECONDS: Final = 5.0
LONGEST_START_SECONDS: Final = 5.0
USUAL_TRIALS: Final = 30
MOST_ROWS: Final = 20
SIGN: Final = "="


def sweep(
    preset: Annotated[
        PresetName | None,
        typer.Option(help="A sweep that teaches something; the options below are then not taken."),
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUES",
            help="A setting to search over: values with commas, or a range as 0.001..1.",
        ),
    ] = None,
    fixed: Annotated[
        list[str] | None, typer.Option("--with", metavar="NAME=VALUE", help="A setting that all trials share.")
    ] = None,
    data: DataOption = None,
    standardise: StandardiseOption = False,
    method: Annotated[
        SearchMethod, typer.Option(help="grid: every combination; random; tpe: where the trials so far were good.")
    ] = SearchMethod.TPE,
    objective: Annotated[
        Objective, typer.Option(help="What to make small; to reach: 1.05 times the noise floor.")
    ] = Objective.FINAL_LOSS,
    trials: Annotated[
        int, typer.Option(help=f"How many runs; a grid has as many as it has combinations (1 to {MOST_TRIALS:,}).")
    ] = (USUAL_TRIALS),
    seed: Annotated[
        int, typer.Option(help=f"Number that the search draws from ({between(SweepPlan, 'seed')}).")
    ] = 0,
    prune: Annotated[bool, typer.Option(help="Whether trials that fall behind are stopped early.")] = True,
    resume: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with a sweep whose process ended before it did.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write every trial into this file.")] = None,
) -> None:
    """Search for good settings; each trial is an ordinary run, which is kept. Ctrl+C ends it early."""
    wanted = {
        "search": search or [],
        "fixed": fixed or [],
        "data": data,
        "standardise": standardise,
        "method": method,
        "objective": objective,
        "trials": trials,
        "seed": seed,
        "prunes": prune,
    }
    plan = None
    if resume is None:
        plan = PRESETS[preset].plan if preset is not None else or_exit(lambda: _plan(wanted))
    require_writable(csv)
    found, problem = _searched(lifted(or_exit(read_settings)), plan, resume or "", quiet=as_json)
    if as_json:
        print_json(as_values(found))
    else:
        _print(found)
    write_result(csv, as_csv(found))
    if problem is not None:
        complain(f"This sweep was not saved. {problem}")
    if found.status is SweepStatus.FAILED:
        complain(found.message)
        raise typer.Exit(FAILED)


def as_values(found: Sweep) -> dict[str, Any]:
    """A sweep as JSON holds it, with what was worked out from it."""
    values: dict[str, Any] = TypeAdapter(Sweep).dump_python(found, mode="json")
    best = found.best
    spreads = slope_spreads(found)
    pooled = pooled_ratio(spreads)
    return values | {
        "best": None if best is None else best.number,
        "as_good_as_the_best": [trial.number for trial in as_good_as_the_best(found)],
        "importances": {one.setting: {"main": one.main, "total": one.total} for one in importances(found)},
        "spreads": TypeAdapter(tuple[SlopeSpread, ...]).dump_python(spreads, mode="json"),
        "spread_ratio": None if pooled is None else pooled[0],
    }


def as_csv(found: Sweep) -> str:
    """A line for each trial."""
    columns = ("trial", *found.plan.settings, "status", "value", "slope", "epochs", "run")
    return "\n".join((",".join(columns), *(",".join(_cells(trial)) for trial in found.trials), ""))


def _cells(trial: Trial) -> tuple[str, ...]:
    numbers = ("" if number is None else repr(number) for number in (trial.value, trial.slope))
    return (
        str(trial.number + 1),
        *(str(value) for value in trial.values),
        trial.status.value,
        *numbers,
        str(trial.num_epochs),
        trial.run_id,
    )


def _plan(wanted: dict[str, Any]) -> SweepPlan:
    """The plan that the options name.

    Raises:
        DpdashError: when there is no such plan.
    """
    searched = [_pair("--set", text) for text in wanted.pop("search")]
    shared = dict(_pair("--with", text) for text in wanted.pop("fixed"))
    base = with_own_data(shared, wanted.pop("data"), is_standardised=wanted.pop("standardise"))
    axes = tuple(Axis.parse(setting, text) for setting, text in searched)
    return SweepPlan.parse(wanted | {"base": base, "axes": axes})


def _pair(option: str, text: str) -> tuple[str, str]:
    name, sign, value = text.partition(SIGN)
    if not sign:
        raise DpdashError(
            N_("{option} takes a setting and its values, as in learning_rate=0.01. Received: {received}."),
            option=option,
            received=text[:40],
        )
    return name.strip().replace("-", "_"), value.strip()


def _searched(
    settings: ServerSettings, plan: SweepPlan | None, resumed: str, *, quiet: bool
) -> tuple[Sweep, DpdashError | None]:
    """Search with a progress bar, and what could not be saved; the first Ctrl+C ends the sweep, which is kept."""
    processes = TrainingProcesses(settings.training_processes)
    processes.copy()  # before anything here has threads
    runs = RunService.open(settings, lambda config: processes.outside(catalog.require(config)))
    processes.wait_until_ready(LONGEST_START_SECONDS)
    sweeps = SweepService.open(runs, settings)
    try:
        sweep_id = or_exit(lambda: _begun(sweeps, plan, resumed))
        _watch(sweeps, sweep_id, quiet)
        shown = sweeps.snapshot(sweep_id)
        assert shown is not None
        return shown.sweep, sweeps.problem or runs.runs.health.problem
    finally:
        sweeps.close(timeout=SHUTDOWN_SECONDS)
        runs.shutdown(timeout=SHUTDOWN_SECONDS)
        processes.close()


def _begun(sweeps: SweepService, plan: SweepPlan | None, resumed: str) -> str:
    if plan is not None:
        return sweeps.start(plan, OWNER)
    sweeps.resume(resumed)
    return resumed


def _watch(sweeps: SweepService, sweep_id: str, quiet: bool) -> None:
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("trials, best {task.fields[best]}"))
    with signals_received() as received, Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        shown = sweeps.snapshot(sweep_id)
        task = bar.add_task("search", total=None if shown is None else shown.sweep.plan.num_trials, best="–")
        is_over = False
        while not is_over:
            is_over = sweeps.wait(sweep_id, POLL_SECONDS)
            if received:
                sweeps.stop(sweep_id, shown.sweep.owner if shown is not None else OWNER)
            shown = sweeps.snapshot(sweep_id)
            if shown is not None:
                best = shown.sweep.best
                text = "–" if best is None or best.value is None else ENGLISH_WORDS.number(best.value, 4)
                bar.update(task, completed=shown.sweep.num_over, best=text)


def _print(found: Sweep) -> None:
    said, plan = ENGLISH_WORDS, found.plan
    settings = tuple(said.title(setting).lower() for setting in plan.settings)
    columns = ("run", "trial", *settings, said.name(plan.objective), "status")
    table = table_of(columns, ("slope", "epochs"), justify="right")
    ranked = sorted(found.trials, key=lambda trial: (trial.value is None, trial.value or 0.0, trial.number))
    for trial in ranked[:MOST_ROWS]:
        table.add_row(
            trial.run_id,
            str(trial.number + 1),
            *(said.value(value) for value in trial.values),
            "–" if trial.value is None else said.number(trial.value, 4),
            said.name(trial.status),
            "–" if trial.slope is None else said.number(trial.slope, 5),
            said.number(trial.num_epochs),
        )
    print_table(table)
    if len(ranked) > MOST_ROWS:
        typer.echo(f"The best {MOST_ROWS} of {len(ranked)} trials.")
    num_equal = len(as_good_as_the_best(found))
    if num_equal > 1:
        typer.echo(f"{num_equal} trials are as good as the best: what sets them apart is chance.")
    for one in importances(found):
        typer.echo(
            f"{said.title(one.setting)} explains {100 * one.main:.0f} % of the trials' ranking by itself, "
            f"{100 * one.total:.0f} % together with the others."
        )
    for spread in slope_spreads(found):
        shared = ", ".join(said.named(setting, value) for setting, value in spread.values)
        begin = f"{shared}: the" if shared else "The"
        typer.echo(
            f"{begin} slopes scatter by {said.number(spread.measured)} "
            f"(± {100 * spread.relative_error:.0f} %), σ/√Σ(x−x̄)² is {said.number(spread.predicted)}."
        )
    typer.echo(f"Sweep {found.sweep_id}: {found.status.value}.")
    if found.status is not SweepStatus.FINISHED:
        typer.echo(f"Ended after {found.num_over} of {found.plan.num_trials} trials.")
