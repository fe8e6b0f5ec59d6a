"""What came of a run, as the command line prints it and as its JSON has it."""

from typing import Any

import typer

from dpdash.cli.terminal import ENGLISH_WORDS
from dpdash.core.events import RunFailed
from dpdash.core.optimum import standard_errors
from dpdash.core.own_data import OwnData, OwnDataError
from dpdash.core.preview import Preview
from dpdash.findings.beside import Ratios, of_turns
from dpdash.findings.run import verdict
from dpdash.findings.suggestion import Tried
from dpdash.problem.preview import line_in_own_units, preview, target
from dpdash.runs.service import RunSnapshot


def result_values(shown: RunSnapshot, losses: list[float]) -> dict[str, Any]:
    """A run with all its losses, as JSON has it."""
    slope, intercept = shown.history.line or (None, None)
    started = shown.history.started
    turns = None if started is None else started.turns
    return {
        "config": shown.config.model_dump(mode="json"),
        "run_id": shown.run_id,
        "status": shown.status.value,
        "losses": losses,
        "slope": slope,
        "intercept": intercept,
        "seconds": shown.history.seconds,
        "engine": shown.config.engine.value,
        "replicas": shown.config.replicas,
        "times_as_fast": None if turns is None else ratio_values(of_turns(turns, shown.config.replicas)),
    }


def _least_squares(data: OwnData, known: Preview, in_own_units: tuple[float, float] | None) -> str:
    """What can be said of a line where nobody knows the true one; `in_own_units` is the line that was trained."""
    said = ENGLISH_WORDS
    best = (said.number(value, 5) for value in (known.optimum.slope, known.optimum.intercept))
    errors = standard_errors(known.moments)
    scatter = ["–", "–"] if errors is None else [said.number(error, 2) for error in errors]
    slope, intercept = (f"{value} ± {error}" for value, error in zip(best, scatter, strict=True))
    text = f"least squares: slope {slope}, intercept {intercept} (standard errors)"
    if data.is_standardised and in_own_units is not None:
        own_slope, own_intercept = (said.number(value, 5) for value in in_own_units)
        in_units = f"slope {own_slope}, intercept {own_intercept}"
        text += f"\nall of it in standard deviations; in the file's units: {in_units}"
    return text


def ratios_text(ratios: Ratios) -> str:
    """How fast a step on the replicas is beside each device."""
    said = ENGLISH_WORDS
    each = " and ".join(
        f"{said.number(one.speed_up.median)} ± {said.number(one.speed_up.standard_error, 2)} times as fast "
        f"as {said.name(one.device)}"
        for one in ratios.found
    )
    return f"a step on the replicas is {each}" + (": too noisy to tell" if ratios.is_noisy else "")


def ratio_values(ratios: Ratios) -> dict[str, Any]:
    """The same by the names of the devices, as JSON has it."""
    return {
        one.device.value: {"speed_up": one.speed_up.median, "error": one.speed_up.standard_error}
        for one in ratios.found
    } | {"is_noisy": ratios.is_noisy}


def print_result(shown: RunSnapshot, tried: tuple[Tried, ...] = ()) -> None:
    """Print how a run ended and what came of it; nothing is suggested that was `tried`."""
    history, said = shown.history, ENGLISH_WORDS
    latest, line = history.latest, history.line
    num_epochs = said.number(history.num_epochs)
    status = f"{said.name(shown.status)} after {num_epochs} of {said.setting(shown.config.epochs)} epochs"
    if isinstance(history.ended, RunFailed):
        status = f"failed after {num_epochs} epochs: {history.ended.message}"
    typer.echo(f"run {shown.run_id} {status}")
    if latest is not None and line is not None:
        loss, slope, intercept = (said.number(float(value), 5) for value in (latest.loss, *line))
        true_slope, true_intercept = ("", "") if shown.config.data else (" (true 3)", " (true 0)")
        typer.echo(f"loss {loss}, slope {slope}{true_slope}, intercept {intercept}{true_intercept}")
        rate = history.epochs_per_second
        speed = f", {said.number(rate)} epochs/s" if rate else ""
        typer.echo(f"{said.number(history.seconds)} s of training{speed}")
    if history.started is not None and history.started.turns is not None:
        typer.echo(ratios_text(of_turns(history.started.turns, shown.config.replicas)))
    try:
        known = preview(shown.config)
    except OwnDataError as error:
        typer.echo(str(error))
        return
    if shown.config.data is not None and line is not None:
        typer.echo(_least_squares(shown.config.data, known, line_in_own_units(shown.config, line)))
    found = verdict(shown.config, history, target(known, tried=tried))
    if found is not None:
        typer.echo(said.sentence(found.template, found.values))
    if found is not None and found.suggestion is not None:
        option = found.suggestion.setting.replace("_", "-")
        typer.echo(f"Try --{option} {found.suggestion.value:.15g}")
