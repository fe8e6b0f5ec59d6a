import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from hypothesis import given

from dpdash.core.events import COLUMNS, EpochBlock, RunEvent
from dpdash.files.tables import SETTINGS_KEY, csv_parts, parquet_parts
from tests.fakes import block_of
from tests.strategies import run_logs
from tests.unit.files.made_up import NUM_EPOCHS, whole_run

NAMES = ["run", "epoch", *COLUMNS]


@given(log=run_logs())
def test_a_csv_has_the_very_numbers(log: tuple[RunEvent, ...]) -> None:
    run = whole_run(log)
    names, *rows = csv.reader(b"".join(csv_parts([run])).decode().splitlines())
    blocks = list(run.blocks())
    assert names == NAMES
    assert [int(row[1]) for row in rows] == list(range(1, 1 + sum(map(len, blocks))))
    for name in COLUMNS:
        sent = np.concatenate([getattr(block, name) for block in blocks])
        found = np.array([float(row[NAMES.index(name)]) for row in rows])
        assert found.astype(sent.dtype).tobytes() == sent.tobytes()


@given(log=run_logs())
def test_a_parquet_file_has_the_very_numbers(log: tuple[RunEvent, ...]) -> None:
    run = whole_run(log)
    table = pq.read_table(io.BytesIO(b"".join(parquet_parts([run]))))
    assert table.column_names == NAMES
    for name in COLUMNS:
        sent = np.concatenate([getattr(block, name) for block in run.blocks()])
        assert np.array_equal(table[name].to_numpy(), sent.astype(np.float64))


def test_several_runs_stand_below_each_other() -> None:
    runs = [whole_run(run_id="one"), whole_run(run_id="two")]
    table = pd.read_csv(io.BytesIO(b"".join(csv_parts(runs))))
    assert list(table["run"]) == ["one"] * NUM_EPOCHS + ["two"] * NUM_EPOCHS
    again = pq.read_table(io.BytesIO(b"".join(parquet_parts(runs))))
    assert again["run"].to_pylist() == list(table["run"])


def test_a_parquet_file_knows_the_settings() -> None:
    metadata = pq.read_schema(io.BytesIO(b"".join(parquet_parts([whole_run()])))).metadata
    assert json.loads(metadata[SETTINGS_KEY.encode()])["abc"]["samples"] == 100


def test_a_run_without_epochs_is_a_table_without_rows() -> None:
    run = whole_run(())
    assert b"".join(csv_parts([run])) == (",".join(NAMES) + "\n").encode()
    assert pq.read_table(io.BytesIO(b"".join(parquet_parts([run])))).num_rows == 0


def test_tables_are_made_only_as_they_are_taken() -> None:
    taken = 0

    def blocks() -> Iterator[EpochBlock]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield block_of(10 * number + 1, 10)

    for encode in (csv_parts, parquet_parts):
        taken = 0
        parts = encode([replace(whole_run(), blocks=blocks)])
        for _part in range(5):
            next(parts)
        assert taken <= 5
