"""Runs out of the database and into it: `python -m dpdash runs export` and `runs import`."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from dpdash.cli.terminal import BAD_ARGUMENTS, FAILED, complain, or_exit
from dpdash.core.errors import DpdashError
from dpdash.core.limits import lifted
from dpdash.core.settings import read_settings
from dpdash.core.translations import ENGLISH, Language, language, negotiate
from dpdash.files.formats import FILES, FormatName
from dpdash.files.imports import import_runs
from dpdash.files.mlflow import send_to_mlflow, tracking_uri
from dpdash.files.run import WholeRun, whole_runs
from dpdash.files.tensorboard import event_file_name, event_parts, folder_name
from dpdash.runs.service import RunService

OWNER: Final = "command line"
SHUTDOWN_SECONDS: Final = 5.0
STANDARD_OUTPUT: Final = Path("-")
UNFINISHED: Final = ".part"
ARCHIVE: Final = ".zip"


def open_store(*, writes: bool = False) -> RunService:
    """A service for reading, and for saving where that is said; without a database there is neither."""
    service = RunService.open(lifted(or_exit(read_settings)))
    problem = service.runs.health.problem
    if problem is not None and (writes or not service.runs.can_read):
        service.shutdown(timeout=SHUTDOWN_SECONDS)
        complain(str(problem))
        raise typer.Exit(FAILED)
    return service


def export_runs(
    run_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, as `runs list` prints them.")],
    name: Annotated[FormatName, typer.Option("--format", help="What to write.")] = FormatName.CSV,
    output: Annotated[
        Path | None,
        typer.Option(
            help="The file to write, - for standard output; for tensorboard, a folder or a .zip. None for mlflow."
        ),
    ] = None,
    report_language: Annotated[
        str, typer.Option("--language", help="Of the HTML report, and of names that runs have by themselves.")
    ] = ENGLISH,
) -> None:
    """Write every epoch of runs into a file, or send them to the MLFLOW_TRACKING_URI that is set."""
    if name is not FormatName.MLFLOW:
        _require_output(output)
    service = open_store()
    try:
        runs = or_exit(lambda: whole_runs(service.runs, run_ids))
        if name is FormatName.MLFLOW:
            _send(runs)
            return
        assert output is not None
        words = language(negotiate(report_language))
        if name is FormatName.TENSORBOARD and output != STANDARD_OUTPUT and output.suffix != ARCHIVE:
            _write_event_files(runs, output, words)
        else:
            _write(output, lambda: FILES[name].encode(runs, words))
    finally:
        service.shutdown(timeout=SHUTDOWN_SECONDS)


def import_file(
    file: Annotated[Path, typer.Argument(help="A .jsonl file that dpdash exported.")],
) -> None:
    """Bring the runs of a file in, as runs of this machine; prints the id that each has got."""
    service = open_store(writes=True)
    try:
        with file.open("rb") as opened:
            for run_id in or_exit(lambda: import_runs(opened, service, OWNER)):
                typer.echo(run_id)
    except OSError as error:
        complain(f"{file}: {error.strerror}. Name a file that can be read.")
        raise typer.Exit(BAD_ARGUMENTS) from None
    finally:
        service.shutdown(timeout=SHUTDOWN_SECONDS)


def _require_output(output: Path | None) -> None:
    if output is None:
        complain("--output: name the file to write, or - for standard output.")
        raise typer.Exit(BAD_ARGUMENTS)
    if output != STANDARD_OUTPUT and not output.absolute().parent.is_dir():
        complain(f"--output: there is no folder {output.absolute().parent}. Make it, or name another file.")
        raise typer.Exit(BAD_ARGUMENTS)


def _send(runs: Sequence[WholeRun]) -> None:
    for run in runs:
        sent = or_exit(lambda run=run: send_to_mlflow(run))  # type: ignore[misc]  # bound now, called now
        typer.echo(f"run {run.record.run_id} is {sent} at {tracking_uri()}")


def _write_event_files(runs: Sequence[WholeRun], folder: Path, words: Language) -> None:
    """A folder for each run, as TensorBoard tells runs apart."""
    for run in runs:
        path = folder / folder_name(run, words) / event_file_name(run)
        _write(path, lambda run=run: event_parts(run, words))  # type: ignore[misc]  # the same


def _write(path: Path, encode: Callable[[], Iterable[bytes]]) -> None:
    """Write a file whole or not at all; what a link leads to, and not the link; a pipe or a device as it comes."""
    target = path.resolve()
    unfinished = target.with_name(target.name + UNFINISHED)
    try:
        if path == STANDARD_OUTPUT:
            sys.stdout.buffer.writelines(encode())
        elif target.exists() and not target.is_file():
            with target.open("wb") as stream:
                stream.writelines(encode())
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.writelines(encode())
            os.replace(unfinished, target)
    except (DpdashError, OSError) as error:
        with suppress(OSError):
            unfinished.unlink()
        complain(f"{path}: {error}")
        raise typer.Exit(FAILED) from None
