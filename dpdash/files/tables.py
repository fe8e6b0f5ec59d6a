"""Every epoch of runs as a table: CSV and Parquet, block by block."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from dpdash.core.events import COLUMNS, EpochBlock
from dpdash.files.buffer import Outbox
from dpdash.files.run import WholeRun

SCHEMA: Final = pa.schema(
    [("run", pa.string()), ("epoch", pa.int64()), *((name, pa.float64()) for name in COLUMNS)]
)
"""Of the Parquet file. A float64 holds every value of a float32 exactly."""
SETTINGS_KEY: Final = "dpdash"
"""Where the Parquet file's metadata has the settings of each run, as JSON."""


def csv_parts(runs: Sequence[WholeRun]) -> Iterator[bytes]:
    """A row for each epoch of each run; numbers in the shortest digits that give the very value back."""
    yield (",".join(SCHEMA.names) + "\n").encode()
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")
    for run in runs:
        for block in run.blocks():
            outbox = Outbox()
            arrow_csv.write_csv(_table(run, block), outbox, options)
            yield outbox.take()


def parquet_parts(runs: Sequence[WholeRun]) -> Iterator[bytes]:
    """The same as a Parquet file, with the settings of each run in its metadata."""
    outbox = Outbox()
    settings = {run.record.run_id: run.record.config.model_dump(mode="json") for run in runs}
    schema = SCHEMA.with_metadata({SETTINGS_KEY: json.dumps(settings)})
    with parquet.ParquetWriter(outbox, schema, compression="zstd") as writer:
        for run in runs:
            for block in run.blocks():
                writer.write_table(_table(run, block).cast(schema))
                yield outbox.take()
    yield outbox.take()


def _table(run: WholeRun, block: EpochBlock) -> pa.Table:
    columns = {
        "run": pa.repeat(run.record.run_id, len(block)),
        "epoch": pa.array(np.arange(block.first_epoch, block.last_epoch + 1, dtype=np.int64)),
        **{name: pa.array(getattr(block, name)) for name in COLUMNS},
    }
    return pa.table(columns)
