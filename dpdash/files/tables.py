"""Every epoch of runs as a table, with the settings of its run: CSV and Parquet, block by block."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from dpdash.core.config import RunConfig
from dpdash.core.events import COLUMNS, EpochBlock
from dpdash.core.translations import Language
from dpdash.files.buffer import Outbox
from dpdash.files.run import WholeRun

START: Final = "start_"
"""Before a setting that changes from epoch to epoch: the learning rate that a run began with."""


AS_TEXT: Final = ("devices", "data")
"""Settings that are neither one number nor one choice: *0, 2*, and what the table of own data is called."""
FRACTIONS: Final = ("bucket_cap_mb",)
"""Settings that may be fractions, and are usually not set."""
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of one."""


def _kind(name: str) -> pa.DataType:
    default = RunConfig.model_fields[name].default
    if name in AS_TEXT or isinstance(default, str):
        return pa.string()
    return pa.float64() if name in FRACTIONS or isinstance(default, float) else pa.int64()


SETTINGS: Final = {f"{START if name in COLUMNS else ''}{name}": name for name in RunConfig.model_fields}
"""The columns of settings, the same in all rows of a run."""
SCHEMA: Final = pa.schema(
    [
        ("run", pa.string()),
        ("name", pa.string()),
        ("epoch", pa.int64()),
        *((name, pa.float64()) for name in COLUMNS),
        *((column, _kind(name)) for column, name in SETTINGS.items()),
    ]
)
"""Of the Parquet file. A float64 holds every value of a float32 exactly."""
SETTINGS_KEY: Final = "dpdash"
"""Where the Parquet file's metadata has the settings of each run, as JSON."""


def csv_parts(runs: Sequence[WholeRun], language: Language) -> Iterator[bytes]:
    """A row for each epoch of each run; numbers in the shortest digits that give the very value back.

    A name that a spreadsheet would take for a formula, and work out, begins with an apostrophe (OWASP, *CSV
    Injection*).
    """
    yield (",".join(SCHEMA.names) + "\n").encode()
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")
    for run in runs:
        for block in run.blocks():
            outbox = Outbox()
            arrow_csv.write_csv(_table(run, block, language, _no_formula), outbox, options)
            yield outbox.take()


def parquet_parts(runs: Sequence[WholeRun], language: Language) -> Iterator[bytes]:
    """The same as a Parquet file, with the settings of each run in its metadata too."""
    outbox = Outbox()
    settings = {run.record.run_id: run.record.config.model_dump(mode="json") for run in runs}
    schema = SCHEMA.with_metadata({SETTINGS_KEY: json.dumps(settings)})
    with parquet.ParquetWriter(outbox, schema, compression="zstd") as writer:
        for run in runs:
            for block in run.blocks():
                writer.write_table(_table(run, block, language).cast(schema))
                yield outbox.take()
    yield outbox.take()


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _table(run: WholeRun, block: EpochBlock, language: Language, written: Callable[[str], str] = str) -> pa.Table:
    """A block's rows; what a person has called something is `written` so."""

    def same(value: object, name: str) -> pa.Array:
        return pa.repeat(pa.scalar(value, SCHEMA.field(name).type), len(block))

    config = run.record.config.model_dump(mode="json")
    for name in AS_TEXT:
        value = getattr(run.record.config, name)
        config[name] = None if value is None else written(language.value(value))
    columns = {
        "run": same(run.record.run_id, "run"),
        "name": same(written(run.name(language)), "name"),
        "epoch": pa.array(np.arange(block.first_epoch, block.last_epoch + 1, dtype=np.int64)),
        **{name: pa.array(getattr(block, name)) for name in COLUMNS},
        **{column: same(config[name], column) for column, name in SETTINGS.items()},
    }
    return pa.table(columns)
