"""What would change the largest cause is a study that can be measured."""

import pytest

from dpdash.core.config import EngineName
from dpdash.core.scaling.waterfall import Part
from dpdash.core.translations import ENGLISH, language
from dpdash.findings.scaling.changes import Change, advice, changes_for
from dpdash.findings.scaling.parts import waterfalls
from tests.unit.findings.scaling.made_up import measured_study


@pytest.mark.parametrize("part", [part for part in Part if part is not Part.IDEAL])
@pytest.mark.parametrize("engine", [EngineName.CPU_REPLICAS, EngineName.DDP])
def test_each_is_another_plan(part: Part, engine: EngineName) -> None:
    study = measured_study(engines=(engine,), replicas=3)
    for change in changes_for(part, study, waterfalls(study)[-1]):
        assert change.of(study.plan) != study.plan


def test_data_parallel_is_told_to_try_ddp_unless_that_is_measured() -> None:
    alone, both = measured_study(), measured_study(engines=(EngineName.CPU_REPLICAS, EngineName.DDP))
    assert changes_for(Part.COPIES, alone, waterfalls(alone)[0])[0] == Change("engine", EngineName.DDP)
    assert all(change.setting != "engine" for change in changes_for(Part.COPIES, both, waterfalls(both)[0]))


def test_replicas_that_share_cores_are_told_how_many_there_are() -> None:
    study = measured_study(replicas=4, num_cores=2)
    change = changes_for(Part.SHARING, study, waterfalls(study)[-1])[0]
    assert change == Change("replicas", 2)
    assert change.of(study.plan).replica_counts == (2,)


def test_a_line_has_no_width_and_nothing_grows_beyond_its_bounds() -> None:
    line = measured_study(hidden_depth=0, samples=2_000_000)
    assert changes_for(Part.SMALL_SHARDS, line, waterfalls(line)[0]) == ()
    wide = measured_study(hidden_widths=(512,))
    wider = changes_for(Part.SMALL_SHARDS, wide, waterfalls(wide)[0])
    assert {change.setting: change.value for change in wider}.get("hidden_width", 1024) == 1024


def test_sharing_is_told_by_what_is_shared() -> None:
    for engine, num_cores, told in (
        (EngineName.CPU_REPLICAS, 2, "2 cores or GPUs are there"),
        (EngineName.CPU_REPLICAS, 4, "a Python of its own"),
        (EngineName.DDP, 4, "each byte that memory brings"),
    ):
        study = measured_study(engines=(engine,), replicas=3, num_cores=num_cores)
        said = advice(Part.SHARING, study, waterfalls(study)[-1])
        assert told in language(ENGLISH).sentence(said.template, said.values)


def test_every_cause_has_something_that_changes_it() -> None:
    study = measured_study()
    for part in Part:
        if part is not Part.IDEAL:
            assert advice(part, study, waterfalls(study)[0]).template
