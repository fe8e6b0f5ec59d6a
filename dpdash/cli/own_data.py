"""Own data on the command line: a CSV file instead of points that are drawn."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_, SettingError
from dpdash.core.own_data import OwnDataError
from dpdash.files.own_data import name_of, read_table
from dpdash.problem import tables

DRAWN: tuple[str, ...] = ("samples", "noise")
"""Settings of data that are drawn, and of no others."""

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="A CSV file with columns x and y to train on, of at most 10 MiB and a million rows.",
    ),
]
StandardiseOption = Annotated[
    bool, typer.Option("--standardise", help="Train on x and y of FILE less their means, in standard deviations.")
]


def with_own_data(given: Mapping[str, Any], file: Path | None, *, is_standardised: bool) -> RunConfig:
    """The settings that were given, for the data of a file where there is one, which is then at hand.

    Raises:
        ConfigError: when a setting is not allowed.
        OwnDataError: when the file is not what it must be.
        SettingError: when something is asked for that own data do not have, or that they alone have.
    """
    if file is None:
        if is_standardised:
            raise SettingError("standardise", N_("{setting} is for own data. Received: none. Add --data FILE."))
        return RunConfig.parse(given)
    for name in DRAWN:
        if name in given:
            raise SettingError(
                name,
                N_(
                    "{setting} cannot be set for own data, which are as they are. Received: {received}. "
                    "Leave it out."
                ),
                received=given[name],
            )
    try:
        with file.open("rb") as opened:
            table = read_table(opened)
    except OSError as error:
        unreadable = N_("{file} cannot be read: {reason}. Name a CSV file with --data.")
        raise OwnDataError(unreadable, file=str(file), reason=error.strerror or type(error).__name__) from None
    tables.keep(table)
    data = table.reference(name_of(file.name), is_standardised)
    return RunConfig.parse({**given, "data": data, "samples": data.rows, "noise": 0.0})
