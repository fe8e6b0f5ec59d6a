"""Without a command the dashboard, in a browser; with one the same jobs without: train, resume, look at runs,
measure scaling and exchanges, search settings; or serve a room.

Exit status: 0 finished, 1 failed or diverged, 2 bad arguments or an engine that this machine cannot run.
"""

import logging
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dpdash.cli.exchange import exchange
from dpdash.cli.own_data import DataOption, StandardiseOption, with_own_data
from dpdash.cli.result import print_result, result_values
from dpdash.cli.runs import export_runs, import_file, open_store
from dpdash.cli.scaling import scaling
from dpdash.cli.serve import become_dashboard, serve
from dpdash.cli.sweep import sweep
from dpdash.cli.terminal import (
    ENGLISH_WORDS,
    FAILED,
    FINISHED,
    complain,
    option,
    or_exit,
    print_json,
    print_table,
    signals_received,
    table_of,
    usual,
)
from dpdash.core.config import FIELD_NAMES, EngineName, RunConfig
from dpdash.core.events import Checkpoint, EpochBlock, RunEvent, RunStatus
from dpdash.core.learning_rates import moves
from dpdash.core.limits import lifted
from dpdash.core.places import COMMAND
from dpdash.core.settings import read_settings
from dpdash.core.words import moment
from dpdash.findings.sweep import tried_beside
from dpdash.runs.service import Pace, RunService, RunSnapshot
from dpdash.store.resuming import NO_CHECKPOINT
from dpdash.store.store import RunRecord
from dpdash.training import catalog
from dpdash.training.control import RunControl
from dpdash.training.engine import Availability, Emit, Engine

OWNER: Final = "command line"
POLL_SECONDS: Final = 0.05
"""How often the progress bar looks; the training itself runs in its own thread and waits for nothing."""
SHUTDOWN_SECONDS: Final = 5.0
app = typer.Typer(invoke_without_command=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
runs_app = typer.Typer(no_args_is_help=True, help="Look at the runs that are stored, and take them elsewhere.")
app.add_typer(runs_app, name="runs")
app.command()(serve)
app.command()(scaling)
app.command()(exchange)
app.command()(sweep)
runs_app.command("export")(export_runs)
runs_app.command("import")(import_file)


@app.callback()
def open_dashboard(context: typer.Context) -> None:
    """Open the dashboard where no command was given."""
    if context.invoked_subcommand is None:
        or_exit(read_settings)
        become_dashboard()


@app.command()
def train(
    samples: Annotated[str | None, option("samples", usual=usual("samples"))] = None,
    noise: Annotated[str | None, option("noise", usual=usual("noise"))] = None,
    seed: Annotated[str | None, option("seed", usual=usual("seed"))] = None,
    epochs: Annotated[str | None, option("epochs", usual=usual("epochs"))] = None,
    learning_rate: Annotated[str | None, option("learning_rate", usual=usual("learning_rate"))] = None,
    optimizer: Annotated[str | None, option("optimizer", usual=usual("optimizer"))] = None,
    warmup_epochs: Annotated[str | None, option("warmup_epochs", usual=usual("warmup_epochs"))] = None,
    global_batch_size: Annotated[str | None, option("global_batch_size", usual=usual("global_batch_size"))] = None,
    engine: Annotated[str | None, option("engine", usual=usual("engine"))] = None,
    replicas: Annotated[str | None, option("replicas", usual=usual("replicas"))] = None,
    devices: Annotated[str | None, option("devices", usual="the first ones")] = None,
    bucket_cap_mb: Annotated[str | None, option("bucket_cap_mb", usual="torch's own")] = None,
    accumulation_steps: Annotated[
        str | None, option("accumulation_steps", usual=usual("accumulation_steps"))
    ] = None,
    hidden_width: Annotated[str | None, option("hidden_width", usual=usual("hidden_width"))] = None,
    hidden_depth: Annotated[str | None, option("hidden_depth", usual=usual("hidden_depth"))] = None,
    data: DataOption = None,
    standardise: StandardiseOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Train at full speed, recorded and saved like any run."""
    given = {name: value for name, value in locals().items() if name in FIELD_NAMES and value is not None}
    if devices is not None:
        given = _on_each(devices) | given
    config = or_exit(lambda: with_own_data(given, data, is_standardised=standardise))
    losses: list[float] = []
    settings = lifted(or_exit(read_settings))
    service = RunService.open(settings, lambda config: _Overheard(catalog.require(config), losses))
    problem = service.runs.health.problem
    if problem is not None:
        complain(str(problem))
    try:
        run_id = or_exit(lambda: service.start(config, OWNER, Pace.full_speed()))
        shown = _watch(service, run_id, OWNER, quiet=as_json)
    finally:
        service.shutdown(timeout=SHUTDOWN_SECONDS)
    if as_json:
        print_json(result_values(shown, losses))
    else:
        print_result(shown)
    saved = service.runs.snapshot(run_id).saved
    if saved.problem is not None:
        complain("This run was not saved." if problem else f"This run was not saved whole. {saved.problem}")
    raise typer.Exit(FINISHED if shown.status is RunStatus.FINISHED else FAILED)


@app.command()
def resume(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, as `runs list` prints it.")],
    epochs: Annotated[str | None, option("epochs")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Train a run further that was stopped or interrupted or, with more --epochs than it had, has finished."""
    wanted = None if epochs is None else or_exit(lambda: RunConfig.parse({"epochs": epochs})).epochs
    service = open_store(writes=True)
    try:
        # Whoever can read the database is no less than its runs' owners.
        owner = or_exit(lambda: service.runs.snapshot(run_id)).owner
        or_exit(lambda: service.resume_ended(run_id, owner, Pace.full_speed(), wanted))
        start = service.runs.snapshot(run_id).resumed_from
        if not start:
            complain(NO_CHECKPOINT)
        elif not as_json:
            typer.echo(f"goes on after epoch {start}")
        shown = _watch(service, run_id, owner, quiet=as_json)
        block = or_exit(lambda: service.runs.rows(run_id))
    finally:
        service.shutdown(timeout=SHUTDOWN_SECONDS)
    if as_json:
        print_json(result_values(shown, [] if block is None else block.loss.tolist()))
    else:
        print_result(shown)
    raise typer.Exit(FINISHED if shown.status is RunStatus.FINISHED else FAILED)


@runs_app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(help="How many of the newest runs.", min=1, max=10_000)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array and nothing else.")] = False,
) -> None:
    """List the newest runs."""
    service = open_store()
    try:
        records = service.runs.latest(limit)
    finally:
        service.shutdown(timeout=SHUTDOWN_SECONDS)
    if as_json:
        print_json([_record_values(record) for record in records])
        return
    said = ENGLISH_WORDS
    if not records:
        typer.echo(f"No runs yet. Try: {COMMAND} train")
        return
    table = table_of(
        ("run", "status", "loss", "slope", "epochs"), ("started", "engine", "samples", "name", "tags")
    )
    for record in records:
        loss = "–" if record.loss is None else said.number(record.loss, 4)
        slope = "–" if record.slope is None else said.number(record.slope, 5)
        progress = f"{said.number(record.num_epochs)} of {said.setting(record.config.epochs)}"
        status = said.name(record.status)
        table.add_row(
            record.run_id,
            f"{status}, imported" if record.is_imported else status,
            loss,
            slope,
            progress,
            moment(record.created_at),
            said.engine(record.config),
            said.setting(record.config.samples),
            escape(record.name or said.run_name(record.config, record.learning_rate_changes)),
            escape(", ".join(record.tags)),
        )
    print_table(table)


@runs_app.command("show")
def show_run(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, as `runs list` prints it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Show one run whole."""
    service = open_store()
    try:
        shown = or_exit(lambda: service.runs.snapshot(run_id))
        block = or_exit(lambda: service.runs.rows(run_id)) if as_json else None
        found = service.runs.sweeps.get(shown.sweep_id) if shown.sweep_id else None
    finally:
        service.shutdown(timeout=SHUTDOWN_SECONDS)
    if as_json:
        print_json(result_values(shown, [] if block is None else block.loss.tolist()))
        return
    table = table_of(("setting",), ("value",))
    said = shown.config.to_query()
    for name in FIELD_NAMES:
        value = getattr(shown.config, name)
        text = said.get(name, str(value))
        table.add_row(name, ENGLISH_WORDS.value_in(shown.config, name) if value is None else text)
    changes = shown.history.learning_rate_changes
    if moves(shown.config, changes):
        table.add_row("learning_rate, moved", ENGLISH_WORDS.value_of("learning_rate", shown.config, changes))
    if shown.config.data is not None:
        table.add_row("data", ENGLISH_WORDS.value(shown.config.data))
    print_table(table)
    print_result(shown, () if found is None else tried_beside(found, run_id))


def main() -> None:
    """Run the command line; what goes wrong is one sentence of the command's, and no log beside it."""
    logging.getLogger("dpdash").addHandler(logging.NullHandler())
    app()


def _on_each(devices: str) -> dict[str, str]:
    """A replica on each of the GPUs that were named, where nothing else is said."""
    number = devices.count(",") + 1
    engine = EngineName.SINGLE if number == 1 else EngineName.DATA_PARALLEL
    return {"engine": engine, "replicas": str(number)}


def _watch(service: RunService, run_id: str, owner: str, quiet: bool) -> RunSnapshot:
    """Show a progress bar until the run is over; Ctrl+C stops the run, which is kept."""
    columns = (
        TextColumn("loss {task.fields[loss]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeRemainingColumn(),
    )
    with (
        signals_received() as received,
        Progress(*columns, console=Console(stderr=True), disable=quiet) as progress,
    ):
        shown = service.runs.snapshot(run_id)
        task = progress.add_task("train", total=shown.config.epochs, loss="–")
        while not shown.status.is_over:
            service.runs.wait(run_id, POLL_SECONDS)
            if received:
                service.stop(run_id, owner)
            shown = service.runs.snapshot(run_id)
            latest = shown.history.latest
            loss = "–" if latest is None else ENGLISH_WORDS.number(float(latest.loss), 4)
            progress.update(task, completed=shown.history.num_epochs, loss=loss)
    return shown


class _Overheard:
    """An engine whose losses are kept as they come: all of them are there whatever the database does."""

    def __init__(self, engine: Engine, losses: list[float]) -> None:
        self.name = engine.name
        self._engine = engine
        self._losses = losses

    def availability(self, config: RunConfig) -> Availability:
        return self._engine.availability(config)

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        def hear(event: RunEvent) -> None:
            if isinstance(event, EpochBlock):
                self._losses.extend(event.loss.tolist())
            emit(event)

        self._engine.run(config, hear, control, start)


def _record_values(record: RunRecord) -> dict[str, Any]:
    return {
        "config": record.config.model_dump(mode="json"),
        "run_id": record.run_id,
        "name": record.name,
        "note": record.note,
        "tags": list(record.tags),
        "pinned": record.is_pinned,
        "imported": record.is_imported,
        "status": record.status.value,
        "created_at": record.created_at,
        "epochs": record.num_epochs,
        "loss": record.loss,
        "best_loss": record.best_loss,
        "slope": record.slope,
        "intercept": record.intercept,
        "seconds": record.seconds,
    }
