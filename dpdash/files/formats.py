"""The files that runs can be written as, by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dpdash.core.errors import N_, RunFileError
from dpdash.core.extras import is_installed
from dpdash.core.translations import Language
from dpdash.files.document import json_parts
from dpdash.files.own_data import table_parts
from dpdash.files.report import report, reported
from dpdash.files.run import WholeRun
from dpdash.files.tables import csv_parts, parquet_parts
from dpdash.files.tensorboard import LIBRARY, zip_parts
from dpdash.problem import tables


class FormatName(StrEnum):
    """The ways out; MLflow is no file, and runs are sent there."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    HTML = "html"
    TENSORBOARD = "tensorboard"
    DATA = "data"
    """The own data of a run, as it was brought."""
    MLFLOW = "mlflow"


Encode = Callable[[Sequence[WholeRun], Language], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How a file is made, a piece at a time, and what it is."""

    encode: Encode
    media_type: str
    extension: str
    needs: str | None = None
    """A library that is not always installed."""

    @property
    def is_installed(self) -> bool:
        """Whether this machine can make it."""
        return self.needs is None or is_installed(self.needs)


def _data_parts(runs: Sequence[WholeRun], _language: Language) -> Iterator[bytes]:
    digests = {run.record.config.data.digest if run.record.config.data else None for run in runs}
    table = tables.of(runs[0].record.config)
    if len(digests) != 1 or table is None:
        raise RunFileError(
            N_(
                "A file of own data holds one table, and the runs have {received}. Points that are drawn are "
                "no table. "
                "Choose a run with own data."
            ),
            received=len(digests - {None}),
        )
    return table_parts(table)


def _report_parts(runs: Sequence[WholeRun], language: Language) -> Iterator[bytes]:
    yield report([reported(run, language) for run in runs], language).encode()


FILES: Final[Mapping[FormatName, FileFormat]] = {
    FormatName.CSV: FileFormat(csv_parts, "text/csv", "csv"),
    FormatName.PARQUET: FileFormat(parquet_parts, "application/vnd.apache.parquet", "parquet"),
    FormatName.JSON: FileFormat(lambda runs, _: json_parts(runs), "application/jsonl", "jsonl"),
    FormatName.DATA: FileFormat(_data_parts, "text/csv", "data.csv"),
    FormatName.HTML: FileFormat(_report_parts, "text/html", "html"),
    FormatName.TENSORBOARD: FileFormat(zip_parts, "application/zip", "zip", LIBRARY),
}
"""What can be written as a file."""


def file_name(name: FormatName, runs: Sequence[WholeRun]) -> str:
    """What the file is called where nobody says otherwise."""
    first, extension = runs[0].record.run_id, FILES[name].extension
    return f"dpdash-{first}.{extension}" if len(runs) == 1 else f"dpdash-{len(runs)}-runs-{first}.{extension}"
