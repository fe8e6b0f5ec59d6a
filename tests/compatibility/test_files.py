"""What an earlier version has made opens in this one: a database, checkpoints, a file of runs, links."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest

from dpdash.core.config import RunConfig
from dpdash.core.limits import Limits
from dpdash.core.settings import ServerSettings
from dpdash.files.run_reader import read_runs
from dpdash.findings.scaling.curves import curves
from dpdash.findings.scaling.parts import waterfalls
from dpdash.runs.service import Pace, RunService
from dpdash.store.query import RunQuery, Viewer
from dpdash.web.links import parse_query
from tests.fakes import eventually

FILES = Path(__file__).parent / "files"
EXPECTED: dict[str, Any] = json.loads((FILES / "expected.json").read_text(encoding="utf-8"))
RUNS: dict[str, Any] = EXPECTED["runs"]
EXPORTED = ("finished", "diverged", "network", "stopped")
LONG = 30.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunService]:
    """The service of this version on a copy of the database of the earlier one."""
    (tmp_path / "runs.db").write_bytes(gzip.decompress((FILES / "runs.db.gz").read_bytes()))
    service = RunService.open(ServerSettings(database_url=f"sqlite:///{tmp_path / 'runs.db'}"))
    assert service.runs.health.problem is None
    yield service
    service.shutdown()


def trained(service: RunService, run_id: str, owner: str, goal: int) -> Any:
    """The losses of a run that is stopped once it has trained so many epochs."""
    eventually(lambda: service.runs.snapshot(run_id).history.num_epochs >= goal, LONG)
    service.stop(run_id, owner)
    assert service.runs.wait(run_id, LONG)
    rows = service.runs.rows(run_id)
    assert rows is not None
    return rows.loss


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_shown_as_it_was(service: RunService, name: str) -> None:
    expected = RUNS[name]
    shown = service.runs.snapshot(expected["run_id"])
    history = shown.history
    assert (shown.status.value, history.num_epochs) == (expected["status"], expected["num_epochs"])
    assert shown.config == RunConfig.parse(expected["config"])
    assert shown.owner == expected["owner"]
    assert history.latest is not None
    assert (history.latest.loss, history.line) == (expected["loss"], tuple(expected["line"]))
    rows = service.runs.rows(expected["run_id"])
    assert rows is not None
    assert (len(rows), float(rows.loss[-1])) == (expected["num_epochs"], expected["loss"])


def test_the_list_has_every_run_with_its_name_and_tags(service: RunService) -> None:
    found = {record.run_id: record for record in service.library.page(RunQuery(Viewer("me", sees_all=True))).rows}
    assert {expected["run_id"] for expected in RUNS.values()} <= found.keys()
    named = found[RUNS["finished"]["run_id"]]
    assert (named.name, named.note, set(named.tags)) == ("My first", "A note, ação", {"one", "two"})
    assert [record.run_id for record in found.values() if record.is_pinned] == [RUNS["network"]["run_id"]]


def test_a_learning_rate_that_was_changed_is_known(service: RunService) -> None:
    (change,) = service.runs.snapshot(RUNS["stopped"]["run_id"]).history.learning_rate_changes
    assert change.learning_rate == 0.05


@pytest.mark.parametrize("name", ["stopped", "stopped network", "killed"])
def test_a_run_goes_on_from_its_checkpoint(service: RunService, name: str) -> None:
    expected = RUNS[name]
    run_id, owner, goal = expected["run_id"], expected["owner"], expected["num_epochs"] + 20
    service.resume_ended(run_id, owner, Pace.full_speed())
    losses = trained(service, run_id, owner, goal)
    assert float(losses[expected["num_epochs"] - 1]) == pytest.approx(expected["loss"])


def test_a_run_that_goes_on_trains_as_if_it_had_never_stopped(service: RunService) -> None:
    expected = RUNS["stopped network"]
    config = RunConfig.parse(expected["config"])
    goal = expected["num_epochs"] + 20
    service.resume_ended(expected["run_id"], expected["owner"], Pace.full_speed())
    whole = service.start(config, "ann", Pace.full_speed())
    on, anew = (
        trained(service, run_id, owner, goal)
        for run_id, owner in ((expected["run_id"], expected["owner"]), (whole, "ann"))
    )
    np.testing.assert_allclose(on[:goal], anew[:goal], rtol=1e-5)


def test_a_study_and_a_sweep_open(service: RunService) -> None:
    assert service.runs.studies is not None
    assert service.runs.sweeps is not None
    study = service.runs.studies.get(EXPECTED["study"]["id"])
    assert study is not None
    assert len(study.measurements) == study.num_wanted == EXPECTED["study"]["measurements"]
    assert [len(curve.points) for curve in curves(study)] == [2]
    assert waterfalls(study) == (), "its runs did a step in one way only"
    sweep = service.runs.sweeps.get(EXPECTED["sweep"]["id"])
    assert sweep is not None
    assert [trial.value for trial in sweep.trials] == EXPECTED["sweep"]["values"]
    assert sweep.best is not None
    assert sweep.best.number == EXPECTED["sweep"]["best"]


def test_a_file_of_runs_comes_in() -> None:
    with (FILES / "runs.json").open("rb") as file:
        arrived = read_runs(file)
    assert len(arrived) == len(EXPORTED)
    for run, name in zip(arrived, EXPORTED, strict=True):
        expected = RUNS[name]
        assert run.config == RunConfig.parse(expected["config"])
        assert sum(map(len, run.blocks)) == expected["num_epochs"]
        assert float(run.blocks[-1].loss[-1]) == expected["loss"]


@pytest.mark.parametrize("name", EXPECTED["links"])
def test_a_link_asks_for_the_same_settings(name: str) -> None:
    query, expected = EXPECTED["links"][name]
    asked = parse_qs(query)
    link = parse_query(asked, Limits.of(ServerSettings()))
    assert link.problems == ()
    assert {setting: str(getattr(link.config, setting)) for setting in asked} == {
        setting: str(RunConfig.parse(expected).model_dump()[setting]) for setting in asked
    }
    assert "run" not in asked
    assert parse_query({**asked, "run": ["abc"]}, Limits.of(ServerSettings())).run_id == "abc"
