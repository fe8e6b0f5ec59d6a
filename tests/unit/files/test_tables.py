import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from hypothesis import given

from dpdash.core.config import RunConfig
from dpdash.core.events import COLUMNS, EpochBlock, RunEvent
from dpdash.core.own_data import OwnData
from dpdash.core.translations import language
from dpdash.files.tables import SETTINGS_KEY, csv_parts, parquet_parts
from tests.fakes import block_of
from tests.strategies import run_logs
from tests.unit.files.made_up import NUM_EPOCHS, whole_run

SETTINGS = ["start_learning_rate" if name == "learning_rate" else name for name in RunConfig.model_fields]
NAMES = ["run", "name", "epoch", *COLUMNS, *SETTINGS]
ENGLISH = language("en")


@given(log=run_logs())
def test_a_csv_has_the_very_numbers(log: tuple[RunEvent, ...]) -> None:
    run = whole_run(log)
    names, *rows = csv.reader(b"".join(csv_parts([run], ENGLISH)).decode().splitlines())
    blocks = list(run.blocks())
    assert names == NAMES
    assert [int(row[2]) for row in rows] == list(range(1, 1 + sum(map(len, blocks))))
    for name in COLUMNS:
        sent = np.concatenate([getattr(block, name) for block in blocks])
        found = np.array([float(row[NAMES.index(name)]) for row in rows])
        assert found.astype(sent.dtype).tobytes() == sent.tobytes()


@given(log=run_logs())
def test_a_parquet_file_has_the_very_numbers(log: tuple[RunEvent, ...]) -> None:
    run = whole_run(log)
    table = pq.read_table(io.BytesIO(b"".join(parquet_parts([run], ENGLISH))))
    assert table.column_names == NAMES
    for name in COLUMNS:
        sent = np.concatenate([getattr(block, name) for block in run.blocks()])
        assert np.array_equal(table[name].to_numpy(), sent.astype(np.float64))


def test_several_runs_stand_below_each_other() -> None:
    runs = [whole_run(run_id="one"), whole_run(run_id="two")]
    table = pd.read_csv(io.BytesIO(b"".join(csv_parts(runs, ENGLISH))))
    assert list(table["run"]) == ["one"] * NUM_EPOCHS + ["two"] * NUM_EPOCHS
    again = pq.read_table(io.BytesIO(b"".join(parquet_parts(runs, ENGLISH))))
    assert again["run"].to_pylist() == list(table["run"])


def test_each_row_has_the_name_and_every_setting_of_its_run() -> None:
    config = RunConfig(samples=100, epochs=30, learning_rate=0.05, optimizer="sgd", global_batch_size=50)
    runs = [whole_run(config=config, run_id="one"), whole_run(run_id="two", name="mine, all mine")]
    as_csv = pd.read_csv(io.BytesIO(b"".join(csv_parts(runs, ENGLISH))))
    as_parquet = pq.read_table(io.BytesIO(b"".join(parquet_parts(runs, language("pt_BR"))))).to_pandas()
    for table, name in ((as_csv, "rate 0.05 → 0.5 at 11"), (as_parquet, "taxa 0,05 → 0,5 na época 11")):
        of_one, of_two = (table[table["run"] == run_id] for run_id in ("one", "two"))
        assert of_one["name"].str.startswith(name).all() and (of_two["name"] == "mine, all mine").all()
        for column, setting in zip(SETTINGS, RunConfig.model_fields, strict=True):
            if (value := config.model_dump(mode="json")[setting]) is None:
                assert of_one[column].isna().all(), column
            else:
                assert (of_one[column] == value).all(), column
        assert of_two["global_batch_size"].isna().all(), "all samples"


def test_gpus_and_own_data_stand_in_a_row_as_they_are_called_and_no_name_is_a_formula() -> None:
    data = OwnData(digest="0" * 64, name="@prices.csv", rows=100, is_standardised=True)
    config = RunConfig(epochs=30, engine="data_parallel", replicas=2, devices=(0, 2)).on(data)
    run = whole_run(config=config, name="=1+1")
    as_csv = pd.read_csv(io.BytesIO(b"".join(csv_parts([run], ENGLISH))))
    as_parquet = pq.read_table(io.BytesIO(b"".join(parquet_parts([run], ENGLISH)))).to_pandas()
    for table, sign in ((as_csv, "'"), (as_parquet, "")):
        row = table.iloc[0]
        assert (row["name"], row["devices"]) == (f"{sign}=1+1", "0, 2")
        assert row["data"] == f"{sign}@prices.csv, standardised"


def test_a_parquet_file_knows_the_settings() -> None:
    metadata = pq.read_schema(io.BytesIO(b"".join(parquet_parts([whole_run()], ENGLISH)))).metadata
    assert json.loads(metadata[SETTINGS_KEY.encode()])["abc"]["samples"] == 100


def test_a_run_without_epochs_is_a_table_without_rows() -> None:
    run = whole_run(())
    assert b"".join(csv_parts([run], ENGLISH)) == (",".join(NAMES) + "\n").encode()
    assert pq.read_table(io.BytesIO(b"".join(parquet_parts([run], ENGLISH)))).num_rows == 0


def test_tables_are_made_only_as_they_are_taken() -> None:
    taken = 0

    def blocks() -> Iterator[EpochBlock]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield block_of(10 * number + 1, 10)

    for encode in (csv_parts, parquet_parts):
        taken = 0
        parts = encode([replace(whole_run(), blocks=blocks)], ENGLISH)
        for _part in range(5):
            next(parts)
        assert taken <= 5
