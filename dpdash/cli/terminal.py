"""What the commands share: how they end, what they print, and how they hear that they are to end."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from dpdash.core.config import RunConfig
from dpdash.core.errors import DpdashError
from dpdash.core.translations import ENGLISH, language

FINISHED, FAILED, BAD_ARGUMENTS = 0, 1, 2
ENGLISH_WORDS: Final = language(ENGLISH)

USUAL: Final = dict(RunConfig())
KINDS: Final = {"integer": "int", "number": "float"}
LEAST_LETTERS: Final = 8
"""Of a column that gives way."""
WIDEST: Final = 10_000

T = TypeVar("T")


def option(name: str, model: type[BaseModel] = RunConfig, usual: str = "") -> Any:
    """The option of a setting: what it takes, within which bounds, and what holds where nothing is given.

    The model checks what is given, with sentences of its own, so the command takes any text.
    """
    kind, bounds = _taken(model, name)
    facts = "; ".join(filter(None, (bounds, f"default: {usual}" if usual else "")))
    text = model.model_fields[name].description
    return typer.Option(
        f"--{name.replace('_', '-')}", metavar=f"<{kind}>", help=f"{text} ({facts})" if facts else text
    )


def usual(name: str) -> str:
    """What a setting of a run is where nothing is said."""
    return ENGLISH_WORDS.setting(value) if isinstance(value := USUAL[name], int | float) else str(value or "all")


def between(model: type[BaseModel], name: str) -> str:
    """The bounds of a setting, in words."""
    return _taken(model, name)[1]


def _taken(model: type[BaseModel], name: str) -> tuple[str, str]:
    """What a setting takes, by its kind or its choices, and its bounds, of a list's entries in a list."""
    whole = model.model_json_schema()
    found: dict[str, Any] = whole["properties"][name]
    found = next((part for part in found.get("anyOf", ()) if part.get("type") != "null"), found)
    if "$ref" in found:
        found = whole["$defs"][found["$ref"].rpartition("/")[2]]
    if "enum" in found:
        return "|".join(found["enum"]), ""
    if found["type"] == "array":
        kind, bounds = _number(found["items"])
        return f"{kind},…", bounds
    return _number(found)


def _number(found: Mapping[str, Any]) -> tuple[str, str]:
    low = found["exclusiveMinimum"] + 1 if "exclusiveMinimum" in found else found.get("minimum")
    high = found.get("maximum")
    written = [
        f"{bound:,}" if isinstance(bound, int) else f"{bound:g}" for bound in (low, high) if bound is not None
    ]
    kind = KINDS.get(found["type"], "text")
    return kind, " to ".join(written) if high is not None else "".join(f"{bound} or more" for bound in written)


def or_exit(command: Callable[[], T]) -> T:
    """Do it, or say what is wrong and end as with bad arguments."""
    try:
        return command()
    except DpdashError as error:
        complain(str(error))
        raise typer.Exit(BAD_ARGUMENTS) from None


def require_writable(path: Path | None) -> None:
    """Before the work begins, end as with bad arguments where its result could not be written into the file."""
    if path is None:
        return
    folder = path.absolute().parent
    if not folder.is_dir():
        complain(f"--csv: there is no folder {folder}. Make it, or name another file.")
    elif path.is_dir():
        complain(f"--csv must be a file. Received: the folder {path}. Try {path / 'results.csv'}.")
    elif not os.access(path if path.exists() else folder, os.W_OK):
        complain(f"--csv: nothing can be written into {path}. Allow it, or name another file.")
    else:
        return
    raise typer.Exit(BAD_ARGUMENTS)


def write_result(path: Path | None, text: str) -> None:
    """Write what has been printed into a file too, or say why not and end as failed."""
    if path is None:
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        complain(f"--csv: {path} could not be written ({error.strerror}). What was measured stands above.")
        raise typer.Exit(FAILED) from None


def table_of(kept: Sequence[str], giving_way: Sequence[str] = (), **options: Any) -> Table:
    """An empty table: on a narrow terminal the last columns break their texts, and the others are whole."""
    table = Table(box=None)
    for column in kept:
        table.add_column(column, no_wrap=True, **options)
    for column in giving_way:
        table.add_column(column, overflow="fold", min_width=LEAST_LETTERS, **options)
    return table


def print_table(table: Table) -> None:
    """Print a table that nothing is cut from: a narrow terminal breaks its lines, a pipe has them whole."""
    console = Console()
    wanted = Measurement.get(console, console.options.update(max_width=WIDEST), table)
    width = max(console.width, wanted.minimum) if console.is_terminal else wanted.maximum
    Console(width=width).print(table)


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
