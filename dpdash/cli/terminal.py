"""What the commands share: how they end, what they print, and how they hear that they are to end."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import typer

from dpdash.core.config import RunConfig
from dpdash.core.errors import DpdashError

FINISHED, FAILED, BAD_ARGUMENTS = 0, 1, 2

T = TypeVar("T")


def option(name: str) -> Any:
    """The option of a run's setting, with its help."""
    field = RunConfig.model_fields[name]
    return typer.Option(f"--{name.replace('_', '-')}", help=field.description)


def or_exit(command: Callable[[], T]) -> T:
    """Do it, or say what is wrong and end as with bad arguments."""
    try:
        return command()
    except DpdashError as error:
        complain(str(error))
        raise typer.Exit(BAD_ARGUMENTS) from None


def complain(sentence: str) -> None:
    """Say what is wrong, beside what the command prints."""
    typer.echo(sentence, err=True)


def print_json(values: object) -> None:
    """Print one JSON value on one line."""
    typer.echo(json.dumps(values, allow_nan=False))


@contextmanager
def signals_received() -> Iterator[list[int]]:
    """The signals so far that ask for an end; a second one of a kind does what it always did.

    A handler runs between any two lines of the main thread, which may hold a lock: it only takes a note.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, before[number])

    before = {int(number): signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
