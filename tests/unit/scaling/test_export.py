"""What a study is as a file: parts that add up to the digit, as they stand there."""

import csv
import io
import json
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from dpdash.core.config import EngineName
from dpdash.core.scaling.study import Study
from dpdash.scaling.export import as_csv, as_json, parts_csv
from tests.unit.findings.scaling.made_up import measured_study
from tests.unit.sweeps.conftest import REPLICAS, study_of

BOTH = (REPLICAS, EngineName.DDP)


@settings(deadline=None)
@given(data=st.data())
def test_the_parts_in_the_text_of_the_json_add_up_to_the_digit(data: st.DataObject) -> None:
    milliseconds = st.floats(0.001, 100_000)
    study = measured_study(lambda *_of: data.draw(milliseconds), rounds=2, engines=BOTH)
    points = json.loads(as_json(study), parse_float=Decimal, parse_int=Decimal)["points"]
    assert len(points) == 2
    for point in points:
        assert sum(part["ms"] for part in point["parts"].values()) == point["step_ms"]


def test_a_point_has_its_parts_and_what_stands_beside_the_sum() -> None:
    points = json.loads(as_json(measured_study(engines=BOTH)))["points"]
    assert [(one["engine"], one["hidden_width"], one["replicas"]) for one in points] == [
        ("cpu_replicas", 8, 2),
        ("ddp", 8, 2),
    ]
    ddp = points[1]
    assert list(ddp["parts"]) == ["ideal", "small_shards", "sharing", "bookkeeping", "exchange_not_hidden"]
    assert list(ddp["beside"]) == ["exchange_hidden", "waiting_for_the_slowest"]
    assert set(ddp["parts"]["ideal"]) == {"ms", "error_ms"}
    assert (ddp["one_device"], ddp["one_device_ms"], ddp["whole_cpu_ms"]) == ("one_core", 4.0, 3.0)


def test_a_study_without_causes_has_no_points_and_its_curves_as_ever() -> None:
    values = json.loads(as_json(study_of(lambda point: 1.5)))
    assert values["points"] == []
    assert len(values["curves"][0]["points"]) == 3


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_turn_has_its_way_and_what_others_took() -> None:
    study = measured_study()
    found = rows(as_csv(study))
    assert len(found) == len(study.measurements)
    assert [row["variant"] for row in found[:3]] == ["engine", "whole_cpu", "shard_alone"]
    assert {row["other_programs"] for row in found} == {"0.02"}


def test_the_table_of_parts_has_a_row_for_each_and_for_the_sum() -> None:
    study: Study = measured_study(engines=(EngineName.DDP,))
    found = {row["part"]: Decimal(row["milliseconds"]) for row in rows(parts_csv(study))}
    step, hidden, waiting = found.pop("step"), found.pop("exchange_hidden"), found.pop("waiting_for_the_slowest")
    assert sum(found.values()) == step
    assert hidden > 0 < waiting
