"""`runs export` and `runs import`, in this process."""

import io
import json
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from dpdash.files.mlflow import VARIABLE
from dpdash.store.store import RunStore
from tests.unit.cli.test_app import called
from tests.unit.files.made_up import NUM_EPOCHS, file_of, whole_run
from tests.unit.files.test_imports import trained


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with two runs."""
    path = tmp_path / "runs.db"
    store = RunStore(f"sqlite:///{path}")
    trained(store, "one")
    trained(store, "two")
    store.close()
    return path


def exported(database: Path, name: str, output: Path, *run_ids: str) -> Path:
    said = called(database, "runs", "export", *run_ids, "--format", name, "--output", str(output))
    assert (said.status, said.stderr) == (0, "")
    return output


def test_tables_have_every_epoch_of_every_run(database: Path, tmp_path: Path) -> None:
    csv = pd.read_csv(exported(database, "csv", tmp_path / "runs.csv", "one", "two"))
    parquet = pq.read_table(exported(database, "parquet", tmp_path / "runs.parquet", "one", "two"))
    assert list(csv["epoch"]) == parquet["epoch"].to_pylist() == [*range(1, NUM_EPOCHS + 1)] * 2


def test_a_report_is_written_in_the_language_that_is_asked_for(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    said = called(
        database, "runs", "export", "one", "--format", "html", "--output", str(path), "--language", "pt-BR"
    )
    assert said.status == 0
    assert '<html lang="pt-BR">' in path.read_text()


def test_a_run_goes_out_and_comes_in_again(database: Path, tmp_path: Path) -> None:
    file = exported(database, "json", tmp_path / "runs.jsonl", "one", "two")
    said = called(database, "runs", "import", str(file))
    assert said.status == 0
    first, second = said.stdout.split()
    assert len({"one", "two", first, second}) == 4
    shown = called(database, "runs", "show", first, "--json").json
    of_old = called(database, "runs", "show", "one", "--json").json
    assert shown["losses"] == of_old["losses"]
    assert "finished, imported" in called(database, "runs", "list").stdout


def test_an_imported_run_of_no_time_at_all_is_shown(database: Path, tmp_path: Path) -> None:
    lines = exported(database, "json", tmp_path / "runs.jsonl", "one").read_text().splitlines()
    parts = [json.loads(line) for line in lines]
    for part in parts:
        if "rows" in part:
            part["rows"]["seconds"] = [0.0] * len(part["rows"]["seconds"])
        elif "run" in part:
            part["run"]["ended"]["seconds"] = 0.0
    (tmp_path / "runs.jsonl").write_text("\n".join(map(json.dumps, parts)))
    (run_id,) = called(database, "runs", "import", str(tmp_path / "runs.jsonl")).stdout.split()
    said = called(database, "runs", "show", run_id)
    assert said.status == 0
    assert "\n0 s of training\n" in said.stdout


def test_what_a_link_leads_to_is_written_and_the_link_stays(database: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    exported(database, "csv", link, "one")
    assert link.is_symlink() and target.read_text().startswith("run,name,epoch")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes; this system has none")
def test_a_pipe_is_written_into_and_stays_one(database: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        text = reader.submit(pipe.read_text)
        exported(database, "csv", pipe, "one")
        assert text.result(30).startswith("run,name,epoch")
    assert pipe.is_fifo()


def test_standard_output_takes_a_file_too(database: Path) -> None:
    said = called(database, "runs", "export", "one", "--output", "-")
    assert len(pd.read_csv(io.StringIO(said.stdout))) == NUM_EPOCHS


def test_event_files_stand_in_a_folder_for_each_run(database: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    folder = exported(database, "tensorboard", tmp_path / "logs", "one", "two")
    names = sorted(path.name for path in folder.iterdir())
    assert [name.rsplit("-", 1)[1] for name in names] == ["one", "two"]
    assert all(next((folder / name).glob("events.out.tfevents.*")).stat().st_size for name in names)
    archive = zipfile.ZipFile(exported(database, "tensorboard", tmp_path / "logs.zip", "one", "two"))
    assert sorted(path.split("/")[0] for path in archive.namelist()) == names


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning", "ignore::DeprecationWarning")
def test_mlflow_gets_a_run(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv(VARIABLE, uri)
    said = called(database, "runs", "export", "one", "--format", "mlflow")
    assert said.status == 0
    sent = said.stdout.split(" is ")[1].split()[0]
    assert mlflow.MlflowClient(tracking_uri=uri).get_run(sent).data.tags["dpdash.run"] == "one"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("export", "one"), "--output: name the file to write, or - for standard output."),
        (("export", "one", "--output", "nowhere/x.csv"), "--output: there is no folder"),
        (("export", "nobody", "--output", "-"), "There is no run nobody here"),
        (("export", "one", "--format", "mlflow"), "Set MLFLOW_TRACKING_URI"),
        (("import", "nowhere.json"), "nowhere.json: No such file or directory."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    database: Path, arguments: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    said = called(database, "runs", *arguments)
    assert said.status == 2
    assert sentence in said.stderr
    assert said.stdout == ""


def test_a_file_that_is_no_export_is_refused(database: Path, tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_text(json.dumps({"format": "x"}))
    said = called(database, "runs", "import", str(tmp_path / "runs.jsonl"))
    assert said.status == 2
    assert "must be one of" in said.stderr


def test_what_cannot_be_written_leaves_nothing_behind(database: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    said = called(database, "runs", "export", "one", "--output", str(taken))
    assert said.status == 1
    assert str(taken) in said.stderr
    assert list(tmp_path.glob("*.part")) == []


def test_a_file_of_the_importers_limits(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever owns the machine is bound by what a run can be, not by what the server allows its browsers.
    monkeypatch.setenv("DPDASH_MAX_SAMPLES", "10")
    (tmp_path / "runs.jsonl").write_bytes(file_of(whole_run()).getvalue())
    assert called(database, "runs", "import", str(tmp_path / "runs.jsonl")).status == 0
