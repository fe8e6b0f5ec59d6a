"""What an exchange costs as CSV and JSON."""

import csv
import io
import json
from dataclasses import replace

import pytest

from dpdash.scaling.exchange_export import COLUMNS, as_csv, as_json
from tests.unit.findings.scaling.made_up_exchanges import EXCHANGE, study_of


def test_each_measurement_is_a_row() -> None:
    study = study_of(other_programs=0.25)
    rows = list(csv.DictReader(io.StringIO(as_csv(study))))
    assert len(rows) == len(study.measurements)
    first = dict.fromkeys(COLUMNS, "") | {
        "measured": "exchange",
        "way": "all_reduce",
        "replicas": "2",
        "bytes": "4",
        "repeat": "1",
        "seconds": str(study.measurements[0].seconds),
        "other_programs": "0.25",
    }
    assert rows[0] == first
    finest = next(row for row in rows if row["bucket_cap_mb"] not in ("", "1.01"))
    assert (finest["measured"], finest["way"], finest["accumulation_steps"]) == ("step", "engine", "1")
    assert {row["way"] for row in rows if row["accumulation_steps"] == "8"} == {"engine", "exchange_each"}


def test_json_has_what_follows_in_milliseconds() -> None:
    values = json.loads(as_json(study_of()))
    assert "owner" not in values
    assert values["gradient"]["num_bytes"] == 1_056_772
    assert values["curves"][0]["line"]["latency"] > 0
    assert values["steps"]["exchange"]["ms"] == pytest.approx(1e3 * EXCHANGE)
    best = [one["bucket_cap_mb"] for one in values["steps"]["buckets"] if one["is_best"]]
    assert best == [None], "no other size is shorter"
    assert values["steps"]["accumulation"][-1]["saved"]["ms"] == pytest.approx(7e3 * EXCHANGE)
    assert all(set(said) == {"template", "values"} for said in values["sentences"])


def test_of_a_study_that_has_just_begun_nothing_follows() -> None:
    begun = study_of()
    values = json.loads(as_json(replace(begun, measurements=begun.measurements[:1])))
    assert (values["gradient"], values["steps"], values["sentences"]) == (None, None, [])
