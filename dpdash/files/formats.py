"""The files that runs can be written as, by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dpdash.core.errors import N_, RunFileError
from dpdash.core.extras import is_installed
from dpdash.core.translations import Language
from dpdash.files.document import json_parts
from dpdash.files.report import report, reported
from dpdash.files.run import WholeRun
from dpdash.files.tables import csv_parts, parquet_parts
from dpdash.files.tensorboard import LIBRARY, event_file_name, event_parts


class FormatName(StrEnum):
    """The ways out; MLflow is no file, and runs are sent there."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    HTML = "html"
    TENSORBOARD = "tensorboard"
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
    holds_several: bool = True

    @property
    def is_installed(self) -> bool:
        """Whether this machine can make it."""
        return self.needs is None or is_installed(self.needs)


def _report_parts(runs: Sequence[WholeRun], language: Language) -> Iterator[bytes]:
    yield report([reported(run) for run in runs], language).encode()


def _event_parts(runs: Sequence[WholeRun], _language: Language) -> Iterator[bytes]:
    if len(runs) != 1:
        raise RunFileError(
            N_("A TensorBoard event file holds one run. Received: {received}. Export them in turns."),
            received=len(runs),
        )
    return event_parts(runs[0])


FILES: Final[Mapping[FormatName, FileFormat]] = {
    FormatName.CSV: FileFormat(lambda runs, _: csv_parts(runs), "text/csv", "csv"),
    FormatName.PARQUET: FileFormat(
        lambda runs, _: parquet_parts(runs), "application/vnd.apache.parquet", "parquet"
    ),
    FormatName.JSON: FileFormat(lambda runs, _: json_parts(runs), "application/jsonl", "jsonl"),
    FormatName.HTML: FileFormat(_report_parts, "text/html", "html"),
    FormatName.TENSORBOARD: FileFormat(
        _event_parts, "application/octet-stream", "tfevents", LIBRARY, holds_several=False
    ),
}
"""What can be written as a file."""


def file_name(name: FormatName, runs: Sequence[WholeRun]) -> str:
    """What the file is called where nobody says otherwise."""
    if name is FormatName.TENSORBOARD:
        return event_file_name(runs[0])
    first, extension = runs[0].record.run_id, FILES[name].extension
    return f"dpdash-{first}.{extension}" if len(runs) == 1 else f"dpdash-{len(runs)}-runs-{first}.{extension}"
