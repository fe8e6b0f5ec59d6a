"""`python -m dpdash scaling`: a real study of a few tenths of a second, and what is wrong said in a sentence."""

import signal
from pathlib import Path

import pytest

from dpdash.store.store import RunStore
from tests.fakes import eventually
from tests.unit.cli.test_app import called, ended, kept, started

TINY = ("scaling", "--samples", "200", "--hidden-width", "4", "--repeats", "1", "--seconds", "0.05")
LONG = 60


def num_measured(database: Path) -> int:
    """Measurements of the first study that a command has kept so far."""
    study = kept(database, "SELECT study FROM studies")
    return 0 if study is None else len(study["measurements"])


def test_a_study_prints_a_table_a_law_and_a_verdict(tmp_path: Path) -> None:
    database, file = tmp_path / "runs.db", tmp_path / "study.csv"
    said = called(database, *TINY, "--csv", str(file))
    assert said.status == 0
    for part in (
        "speed-up",
        "efficiency",
        "DataParallel, emulated on CPU",
        "DataParallel, emulated on CPU:",
        "ms a step",
        "2 replicas were measured once",
    ):
        assert part in said.stdout
    store = RunStore(f"sqlite:///{database}")
    (head,) = store.studies.heads(2)
    study = store.studies.get(head.value_id)
    store.close()
    assert study is not None
    assert len(study.measurements) == study.num_wanted
    assert len(file.read_text().splitlines()) == 1 + study.num_wanted


def test_json_is_one_object(tmp_path: Path) -> None:
    said = called(tmp_path / "runs.db", *TINY, "--json", "--mode", "weak")
    assert (said.status, said.stderr) == (0, "")
    values = said.json
    assert values["status"] == "finished"
    assert values["plan"]["mode"] == "weak"
    assert {(one["point"]["replicas"], one["samples"]) for one in values["measurements"]} == {(1, 200), (2, 400)}
    assert len(values["curves"][0]["points"]) == 2
    assert values["verdicts"][0]["engine"] == "cpu_replicas"
    (point,) = values["points"]
    assert (point["engine"], point["replicas"], point["hidden_width"]) == ("cpu_replicas", 2, 4)
    assert list(point["parts"]) == ["ideal", "sharing", "one_backward", "copies"]


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_signal_keeps_and_prints_what_is_measured(number: signal.Signals, tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    process = started(database, *TINY[:-4], "--repeats", "20", "--seconds", "0.2")
    eventually(lambda: process.poll() is not None or num_measured(database) >= 7, LONG)
    process.send_signal(number)
    said = ended(process)
    assert said.status == 0
    assert "Ended after " in said.stdout
    assert "DataParallel, emulated on CPU:" in said.stdout
    assert num_measured(database) >= 5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--engines", "nonsense"), "engines must be one of"),
        (("--engines", "single"), "Choose one or more engines of"),
        (("--engines", ""), "Choose one or more engines of"),
        (("--replicas", "1"), "replicas must be at least 2. Received: 1. Try 2."),
        (("--hidden-width", "8,x"), "hidden widths must be a whole number. Received: x. Try 64."),
        (("--samples", "0"), "samples must be at least 1"),
        (("--seconds", "nan"), "seconds must be a number. Received: nan. Try 0.25."),
        (("--csv", "/nowhere/at/all.csv"), "there is no folder /nowhere/at."),
    ],
)
def test_what_cannot_be_measured_is_said(options: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    said = called(tmp_path / "runs.db", *TINY, *options)
    assert said.status == 2
    assert sentence in said.stderr
    assert said.stdout == ""


def test_an_engine_without_its_devices_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    said = called(tmp_path / "runs.db", *TINY, "--engines", "data_parallel")
    assert said.status == 2
    assert "GPU" in said.stderr


@pytest.mark.long
def test_a_database_that_cannot_be_used_does_not_keep_from_measuring(tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_text("This is no database.")
    said = called(tmp_path / "runs.db", *TINY)
    assert said.status == 0
    assert "measured once" in said.stdout
    assert "This study was not saved." in said.stderr
