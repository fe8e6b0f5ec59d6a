"""`python -m dpdash sweep`: real sweeps of tiny runs, one that is killed and goes on, and what is wrong said."""

import signal
from pathlib import Path

import pytest

from dpdash.core.sweep import SweepStatus
from dpdash.store.store import RunStore
from tests.fakes import eventually
from tests.unit.cli.test_app import called, ended, kept, started

TINY = ("sweep", "--with", "samples=50", "--with", "epochs=20")
GRID = (*TINY, "--set", "learning_rate=0.01,0.1", "--set", "optimizer=adam,sgd", "--method", "grid")
LASTING = ("sweep", "--with", "samples=200", "--with", "epochs=5000", "--set", "seed=0..1000000", "--trials", "60")
LONG = 60


def num_over(database: Path) -> int:
    """Trials of the first sweep that a command has kept so far."""
    sweep = kept(database, "SELECT sweep FROM sweeps")
    return 0 if sweep is None else sum(trial["status"] != "running" for trial in sweep["trials"])


def test_a_sweep_prints_its_trials_and_keeps_them(tmp_path: Path) -> None:
    database, file = tmp_path / "runs.db", tmp_path / "sweep.csv"
    said = called(database, *GRID, "--csv", str(file))
    assert said.status == 0
    for part in ("learning rate", "final loss above the optimum", "SGD", "complete", "finished"):
        assert part in said.stdout
    lines = file.read_text().splitlines()
    assert lines[0] == "trial,learning_rate,optimizer,status,value,slope,epochs,run"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3", "4"]
    store = RunStore(f"sqlite:///{database}")
    (head,) = store.sweeps.heads(2)
    sweep = store.sweeps.get(head.value_id)
    runs = store.runs()
    store.close()
    assert sweep is not None
    assert sweep.status is SweepStatus.FINISHED
    assert {run.sweep_id for run in runs} == {sweep.sweep_id}
    assert {run.run_id for run in runs} == {line.split(",")[-1] for line in lines[1:]}


def test_json_is_one_object(tmp_path: Path) -> None:
    said = called(tmp_path / "runs.db", *TINY, "--json", "--set", "learning-rate=0.001..0.1", "--trials", "6")
    assert (said.status, said.stderr) == (0, "")
    values = said.json
    assert values["status"] == "finished"
    assert values["plan"]["method"] == "tpe"
    assert len(values["trials"]) == 6
    best = min(values["trials"], key=lambda trial: trial["value"])
    assert values["best"] == best["number"]
    assert set(values["importances"]) <= {"learning_rate"}


def test_seeds_show_the_spread_of_the_slopes(tmp_path: Path) -> None:
    options = (
        "--with",
        "learning_rate=0.05",
        "--with",
        "optimizer=sgd",
        "--with",
        "epochs=200",
        "--method",
        "grid",
    )
    said = called(
        tmp_path / "runs.db", "sweep", *options, "--set", "samples=20,50", "--set", "seed=0,1,2,3", "--no-prune"
    )
    assert said.status == 0
    assert "samples 20: the slopes scatter by " in said.stdout
    assert "σ/√Σ(x−x̄)² is " in said.stdout


def test_a_signal_keeps_and_prints_what_was_found(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    process = started(database, *LASTING)
    eventually(lambda: process.poll() is not None or num_over(database) >= 2, LONG)
    process.send_signal(signal.SIGINT)
    said = ended(process)
    assert said.status == 0
    assert "of 60 trials." in said.stdout
    assert "stopped" in said.stdout
    assert num_over(database) >= 2


@pytest.mark.long
def test_a_sweep_whose_process_was_killed_goes_on(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    process = started(database, *LASTING[:-1], "12")
    eventually(lambda: process.poll() is not None or num_over(database) >= 2, LONG)
    process.kill()
    process.communicate()
    store = RunStore(f"sqlite:///{database}")
    (left,) = store.sweeps.searching()
    store.close()
    said = called(database, "sweep", "--resume", left.sweep_id, "--json")
    assert said.status == 0
    assert (said.json["status"], len(said.json["trials"])) == ("finished", 12)
    done = [trial for trial in left.trials if trial.status.is_over]
    again = {trial["number"]: trial["run_id"] for trial in said.json["trials"]}
    assert [again[trial.number] for trial in done] == [trial.run_id for trial in done]
    assert len({trial["values"][0] for trial in said.json["trials"]}) == 12


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "A sweep searches over 1 to 4 settings. Received: 0."),
        (("--set", "learning_rate"), "--set takes a setting and its values, as in learning_rate=0.01."),
        (("--set", "engine=single"), "A sweep cannot search over engine."),
        (("--set", "learning_rate=11"), "learning rate must be at most 10"),
        (("--set", "learning_rate=1..0.1"), "A range of learning rate has a lower and a higher end"),
        (("--set", "seed=0,1", "--with", "speed=1"), "There is no setting called speed."),
        (("--set", "seed=0,1", "--trials", "501"), "A sweep has from 1 to 500 trials."),
        (("--set", "seed=0,1", "--csv", "/nowhere/at/all.csv"), "there is no folder /nowhere/at."),
        (("--resume", "nothing"), "There is no sweep nothing here that could go on."),
    ],
)
def test_what_cannot_be_searched_is_said(options: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    said = called(tmp_path / "runs.db", "sweep", *options)
    assert said.status == 2
    assert sentence in said.stderr
    assert said.stdout == ""


def test_a_database_that_cannot_be_used_does_not_keep_from_searching(tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_text("This is no database.")
    said = called(tmp_path / "runs.db", *GRID)
    assert said.status == 0
    assert "complete" in said.stdout
    assert "This sweep was not saved." in said.stderr
