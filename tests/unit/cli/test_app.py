"""The command line: as processes of its own where that matters, in this process where it does not."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dpdash.cli import app as cli
from dpdash.cli.result import ratio_values, ratios_text
from dpdash.core.config import FIELD_NAMES, EngineName, RunConfig
from dpdash.core.errors import StoreError
from dpdash.core.events import Checkpoint, RunStopped
from dpdash.core.history import NUM_BUCKETS
from dpdash.core.turns import StepTurn, StepTurns
from dpdash.findings.beside import of_turns
from dpdash.store.errors import READ_ONLY
from dpdash.store.query import RunLabel, Viewer
from dpdash.store.sqlite import SqliteDatabase
from dpdash.store.store import RunStore
from dpdash.training import catalog
from dpdash.training.control import RunControl
from dpdash.training.engine import Availability, Emit, Engine
from dpdash.training.hardware import num_gpus
from tests.fakes import eventually
from tests.reference import listing

ROOT = Path(__file__).parents[3]
LONGEST_SECONDS = 60
ENDLESS = ("--samples", "100", "--epochs", "1000000")
"""A run that lasts longer than it takes to send a signal to it."""
KEYS = {
    "config",
    "run_id",
    "status",
    "losses",
    "slope",
    "intercept",
    "seconds",
    "engine",
    "replicas",
    "times_as_fast",
}


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON object of standard output; NaN and infinity are not JSON."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is not JSON")

        return json.loads(self.stdout, parse_constant=refuse)


def environment(database: Path) -> Mapping[str, str]:
    return {**os.environ, "DPDASH_DATABASE_URL": f"sqlite:///{database}"}


def started(database: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dpdash", *arguments],
        cwd=ROOT,
        env=environment(database),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> Said:
    stdout, stderr = process.communicate(timeout=LONGEST_SECONDS)
    return Said(process.returncode, stdout, stderr)


def kept(database: Path, select: str) -> Any:
    """The first value that a statement finds, as JSON; None while a command has not made the table or a row."""
    if not database.exists():
        return None
    with closing(sqlite3.connect(database)) as connection:
        try:
            row = connection.execute(select).fetchone()
        except sqlite3.OperationalError:
            return None
    return None if row is None else json.loads(row[0])


def called(database: Path, *arguments: str) -> Said:
    """A command in this process, which saves the seconds that importing torch takes."""
    result = CliRunner().invoke(cli.app, arguments, env=dict(environment(database)))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return Said(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli") / "runs.db"


@pytest.fixture(scope="module")
def default_run(database: Path) -> Said:
    """The default run, as a process of its own."""
    return ended(started(database, "train", "--json"))


def test_json_is_one_object_with_every_value(default_run: Said) -> None:
    assert default_run.status == 0
    assert default_run.stderr == ""
    said = default_run.json
    assert set(said) == KEYS
    assert said["config"] == RunConfig().model_dump(mode="json")
    assert (said["status"], said["engine"], said["replicas"]) == ("finished", "single", 1)
    assert len(said["losses"]) == 500
    assert said["seconds"] > 0


def test_default_run_is_the_listings(default_run: Said) -> None:
    losses, slope, intercept = listing.losses()
    said = default_run.json
    assert said["losses"] == pytest.approx(losses, rel=1e-5)
    assert said["slope"] == pytest.approx(slope, rel=1e-5)
    assert said["intercept"] == pytest.approx(intercept, abs=1e-5)


def test_the_run_is_stored_and_shown_again(default_run: Said, database: Path) -> None:
    said = default_run.json
    shown = called(database, "runs", "show", said["run_id"], "--json")
    assert shown.status == 0
    assert shown.json == said

    table = called(database, "runs", "show", said["run_id"])
    assert table.status == 0
    assert f"run {said['run_id']} finished after 500 of 500 epochs" in table.stdout
    assert all(name in table.stdout for name in FIELD_NAMES)


def test_runs_are_listed_the_newest_first(default_run: Said, database: Path) -> None:
    newer = called(database, "train", "--json", "--samples", "50", "--epochs", "5").json
    listed = called(database, "runs", "list", "--json", "--limit", "2").json
    assert [run["run_id"] for run in listed] == [newer["run_id"], default_run.json["run_id"]]
    assert listed[1]["config"] == default_run.json["config"]
    assert listed[1]["epochs"] == 500
    assert listed[1]["loss"] == pytest.approx(default_run.json["losses"][-1])

    assert (listed[0]["name"], listed[0]["tags"], listed[0]["pinned"]) == (None, [], False)
    assert listed[1]["best_loss"] == pytest.approx(min(default_run.json["losses"]))

    store = RunStore(f"sqlite:///{database}")
    assert store.run_table.label(
        newer["run_id"], Viewer("anybody", sees_all=True), RunLabel("[b]", "", ("tag one",))
    )
    assert store.close()
    table = called(database, "runs", "list")
    assert table.status == 0
    assert "[b]" in table.stdout and "tag one" in table.stdout
    assert table.stdout.index(newer["run_id"]) < table.stdout.index(default_run.json["run_id"])


def test_a_database_without_runs(tmp_path: Path) -> None:
    assert called(tmp_path / "new.db", "runs", "list", "--json").json == []
    assert "No runs yet" in called(tmp_path / "new.db", "runs", "list").stdout


def test_a_run_for_people_says_what_came_out(database: Path) -> None:
    said = called(database, "train", "--samples", "1000", "--epochs", "500")
    assert said.status == 0
    assert "finished after 500 of 500 epochs" in said.stdout
    assert "(true 3)" in said.stdout


def test_a_diverged_run_ends_with_1_and_valid_json(database: Path) -> None:
    arguments = ("train", "--optimizer", "sgd", "--learning-rate", "0.5")
    said = called(database, *arguments, "--json")
    assert said.status == 1
    assert said.json["status"] == "diverged"
    assert 0 < len(said.json["losses"]) < 500
    shown = called(database, "runs", "show", said.json["run_id"], "--json")
    assert shown.json["losses"] == said.json["losses"]

    told = called(database, *arguments)
    assert told.status == 1
    assert f"Diverged at epoch {len(said.json['losses']) + 1}" in told.stdout
    assert "Try --learning-rate 0.05" in told.stdout


def test_a_bad_value_gets_one_sentence_and_no_traceback(database: Path) -> None:
    said = ended(started(database, "train", "--learning-rate", "50", "--json"))
    assert said == Said(2, "", "learning rate must be at most 10. Received: 50. Try 0.01.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--samples", "1.5"), ("samples must be a whole number", "1.5", "Try 10000")),
        (("train", "--noise", "nan"), ("noise must be", "nan", "Try 0.5")),
        (("train", "--optimizer", "lion"), ("optimizer must be one of adam", "lion", "Try adam")),
        (("train", "--replicas", "2"), ("replicas must be 1", "Received: 2", "Try the engine cpu_replicas")),
        (("train", "--samples", "10", "--global-batch-size", "11"), ("at most the number of samples, 10", "11")),
        (("train", "--colour", "red"), ("No such option", "--colour")),
        (("runs", "list", "--limit", "0"), ("--limit",)),
        (("runs", "show", "nothing"), ("There is no run nothing here",)),
        (("runs", "show", "nothing", "--json"), ("There is no run nothing here",)),
        (("resume", "nothing"), ("There is no run nothing here",)),
        (("resume", "nothing", "--epochs", "many"), ("epochs must be a whole number", "many", "Try 500")),
    ],
)
def test_bad_arguments_end_with_2(arguments: tuple[str, ...], words: tuple[str, ...], database: Path) -> None:
    said = called(database, *arguments)
    assert said.status == 2
    assert said.stdout == ""
    assert [word for word in words if word not in said.stderr] == []
    assert "Traceback" not in said.stderr


@pytest.mark.skipif(num_gpus() >= 2, reason="this machine has two GPUs, so it can run data_parallel")
def test_an_engine_that_this_machine_cannot_run_ends_with_2(database: Path) -> None:
    said = called(database, "train", "--engine", "data_parallel", "--replicas", "2")
    assert said.status == 2
    assert said.stderr.startswith("DataParallel needs at least 2 GPUs.")
    assert len(said.stderr.splitlines()) == 1


def test_a_bad_server_setting_ends_with_2(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPDASH_PACED_SLOTS", "0")
    for arguments in (("train",), ("runs", "list")):
        said = called(database, *arguments)
        assert (said.status, said.stdout) == (2, "")
        assert said.stderr.startswith("DPDASH_PACED_SLOTS: Input should be greater than 0. Received: 0.")


def test_the_limits_for_browsers_do_not_bind_whoever_owns_the_machine(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DPDASH_MAX_SAMPLES", "10")
    monkeypatch.setenv("DPDASH_MAX_EPOCHS", "2")
    said = called(database, "train", "--samples", "20", "--epochs", "3", "--json")
    assert (said.status, len(said.json["losses"])) == (0, 3)


def test_every_setting_has_its_option_with_the_fields_help() -> None:
    parameters = typer.main.get_group(cli.app).commands["train"].params
    options = {option.opts[0]: str(getattr(option, "help", "")) for option in parameters}
    own = {f"--{name.replace('_', '-')}": RunConfig.model_fields[name].description for name in FIELD_NAMES}
    assert all(options[name].startswith(str(about)) for name, about in own.items())
    assert options.keys() - own.keys() == {"--data", "--standardise", "--json"}


@pytest.mark.parametrize(
    ("command", "facts"),
    [
        (
            "train",
            (
                "<int>",
                "(1 to 10,000,000; default: 10,000)",
                "<float>",
                "(0 to 100; default: 0.5)",
                "<single|data_parallel|cpu_replicas|ddp>",
                "(default: single)",
                "<adam|adamw|sgd|sgd_momentum|rmsprop>",
                "(1 to 10,000,000; default: all)",
                "<int,…>",
                "(0 to 63; default: the first ones)",
            ),
        ),
        ("resume", ("<int>", "(1 to 1,000,000)")),
        ("scaling", ("<data_parallel|cpu_replicas|ddp,…>", "(2 to 64)", "<int,…>", "(1 to 4,096)", "(0 to 8)")),
        ("sweep", ("(1 to ", "[default: tpe]", "(0 to ")),
        ("serve", ("(1 or more; default: 64)", "(1 or more; default: 100,000)", "<text>")),
    ],
)
def test_help_says_what_an_option_takes(command: str, facts: tuple[str, ...]) -> None:
    said = CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "300", "NO_COLOR": "1"}, color=False)
    assert said.exit_code == 0
    assert [line for line in said.output.splitlines() if "--" in line and "<str>" in line] == []
    assert [fact for fact in facts if fact not in said.output] == []


def test_every_option_reaches_the_run(database: Path) -> None:
    wanted = RunConfig(
        samples=90,
        noise=0.25,
        seed=7,
        epochs=3,
        learning_rate=0.02,
        optimizer="sgd_momentum",
        global_batch_size=30,
        engine="cpu_replicas",
        replicas=2,
        hidden_width=8,
        hidden_depth=1,
    )
    options = [
        part for name, value in wanted.to_query().items() for part in (f"--{name.replace('_', '-')}", value)
    ]
    said = called(database, "train", "--json", *options)
    assert said.status == 0
    assert RunConfig.parse(said.json["config"]) == wanted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_which_is_stored(number: signal.Signals, tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    process = started(database, "train", "--json", *ENDLESS)
    eventually(lambda: process.poll() is not None or num_blocks(database) > 0, LONGEST_SECONDS)
    process.send_signal(number)
    said = ended(process)
    assert (said.status, said.stderr) == (1, "")
    assert said.json["status"] == "stopped"
    assert 0 < len(said.json["losses"]) < 1_000_000
    stored = called(database, "runs", "show", said.json["run_id"], "--json")
    assert stored.json == said.json


def num_blocks(database: Path) -> int:
    """How many blocks of epochs another process has stored so far."""
    if not database.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            count: int = connection.execute("SELECT count(*) FROM blocks").fetchone()[0]
    except sqlite3.OperationalError:  # the other process is still making the tables
        return 0
    return count


def a_folder(path: Path) -> None:
    path.mkdir()


def a_junk_file(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)


@pytest.mark.parametrize("make", [a_folder, a_junk_file])
def test_without_a_database_every_loss_is_still_there(make: Callable[[Path], None], tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    make(database)
    num_epochs = NUM_BUCKETS + 100
    said = called(database, "train", "--json", "--samples", "50", "--epochs", str(num_epochs))
    assert said.status == 0
    assert said.json["status"] == "finished"
    assert len(said.json["losses"]) == num_epochs
    problem, rest = said.stderr.splitlines()
    assert str(database) in problem
    assert "set DPDASH_DATABASE_URL to another file" in problem
    assert rest == "This run was not saved."

    listed = called(database, "runs", "list")
    assert (listed.status, listed.stdout) == (1, "")
    assert listed.stderr.splitlines() == [problem]


def test_without_a_database_a_process_of_its_own_says_so_once(tmp_path: Path) -> None:
    said = ended(started(tmp_path, "train", "--epochs", "3"))
    assert said.status == 0
    assert "finished after 3 of 3 epochs" in said.stdout
    assert said.stderr.count("cannot be opened") == 1
    assert "This run was not saved." in said.stderr


class Saboteur:
    """Trains, but takes the database away first."""

    name = EngineName.SINGLE

    def __init__(self, engine: Engine, database: Path) -> None:
        self._engine = engine
        self._database = database

    def availability(self, config: RunConfig) -> Availability:
        return Availability()

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        self._database.rename(self._database.with_suffix(".away"))
        self._engine.run(config, emit, control, start)


def test_a_database_that_goes_away_is_told_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "runs.db"
    engine = Saboteur(catalog.engine(EngineName.SINGLE), database)
    monkeypatch.setattr(catalog, "require", lambda _config: engine)
    monkeypatch.setattr(cli, "SHUTDOWN_SECONDS", 2.0)
    said = called(database, "train", "--json", "--samples", "50", "--epochs", "200")
    assert said.status == 0
    assert len(said.json["losses"]) == 200
    assert said.stderr.startswith("This run was not saved whole. The database")
    assert "was moved" in said.stderr


def test_a_database_that_is_read_only_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "runs.db"
    run_id = called(database, "train", "--json", "--samples", "50", "--epochs", "5").json["run_id"]

    def refuse(self: SqliteDatabase) -> None:
        raise StoreError(READ_ONLY, path=self.name)

    monkeypatch.setattr(SqliteDatabase, "prepare", refuse)
    listed = called(database, "runs", "list", "--json")
    assert (listed.status, listed.stderr) == (0, "")
    assert [run["run_id"] for run in listed.json] == [run_id]
    assert called(database, "runs", "show", run_id).status == 0
    exported = called(database, "runs", "export", run_id, "--output", "-")
    assert (exported.status, len(exported.stdout.splitlines())) == (0, 6)
    refused = called(database, "resume", run_id, "--epochs", "10")
    assert refused.status == 1 and "is read-only, so nothing is saved" in refused.stderr


LONG_RUN = ("--samples", "100", "--epochs", "8000", "--global-batch-size", "50")
"""Lasts seconds: long enough for a signal to come in the middle."""


@pytest.mark.long
def test_a_stopped_run_goes_on_as_if_it_never_had(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    process = started(database, "train", "--json", *LONG_RUN)
    eventually(lambda: process.poll() is not None or num_blocks(database) > 0, LONGEST_SECONDS)
    process.send_signal(signal.SIGINT)
    stopped = ended(process).json
    assert stopped["status"] == "stopped"

    resumed = called(database, "resume", stopped["run_id"], "--json")
    assert (resumed.status, resumed.stderr) == (0, "")
    assert (resumed.json["status"], resumed.json["run_id"]) == ("finished", stopped["run_id"])
    whole = called(database, "train", "--json", *LONG_RUN).json
    for name in ("losses", "slope", "intercept"):
        assert resumed.json[name] == whole[name]

    again = called(database, "resume", stopped["run_id"])
    assert (again.status, again.stdout) == (2, "")
    assert again.stderr.startswith("epochs of a run that has finished must be more than its own, 8000,")


def test_a_run_that_has_finished_goes_on_to_more_epochs(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    short = called(database, "train", "--json", "--samples", "50", "--epochs", "20").json
    resumed = called(database, "resume", short["run_id"], "--epochs", "30", "--json")
    assert (resumed.status, resumed.stderr) == (0, "")
    whole = called(database, "train", "--json", "--samples", "50", "--epochs", "30").json
    assert resumed.json["run_id"] == short["run_id"]
    for name in ("losses", "slope", "intercept"):
        assert resumed.json[name] == whole[name]
    shown = called(database, "runs", "show", short["run_id"], "--json").json
    assert (shown["status"], shown["config"]["epochs"]) == ("finished", 30)


def test_a_run_of_a_browser_goes_on_with_more_epochs_and_stays_its_own(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    store = RunStore(f"sqlite:///{database}")
    store.create_run("abc", RunConfig(samples=50, epochs=20), "a browser", 1.0)
    store.append("abc", RunStopped(0, float("nan"), float("nan"), 0.0))
    assert store.close()
    refused = called(database, "resume", "abc", "--epochs", "10")
    assert refused.status == 2
    assert "must be at least its own, 20. Received: 10. Try 40." in refused.stderr
    said = called(database, "resume", "abc", "--epochs", "30")
    assert said.status == 0
    assert said.stderr.startswith(
        "This run has no checkpoint, so it begins at epoch 1 again, with the learning rates"
    )
    assert "run abc finished after 30 of 30 epochs" in said.stdout
    store = RunStore(f"sqlite:///{database}")
    record = store.run("abc")
    assert record is not None
    assert (record.owner, record.config.epochs) == ("a browser", 30)
    assert store.close()


def test_own_data_are_trained_and_measured_by_the_least_squares_line(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("x;y\n" + "".join(f"{n};{2 * n + n % 3},5\n" for n in range(100, 150)))
    said = called(tmp_path / "runs.db", "train", "--data", str(tmp_path / "prices.csv"), "--standardise")
    assert said.status == 0
    assert "true" not in said.stdout
    assert "least squares: slope " in said.stdout and "±" in said.stdout
    assert "in the file's units: slope " in said.stdout
    listed = called(tmp_path / "runs.db", "runs", "list", "--json").json
    assert listed[0]["config"]["data"]["name"] == "prices.csv"
    assert listed[0]["config"]["samples"] == 50


def test_a_run_whose_table_is_gone_is_shown_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("1,2\n3,4\n5,7\n")
    database = tmp_path / "runs.db"
    assert called(database, "train", "--data", str(tmp_path / "prices.csv")).status == 0
    run_id = called(database, "runs", "list", "--json").json[0]["run_id"]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM data_tables")
    # In a process of its own: this one has the table at hand.
    shown = ended(started(database, "runs", "show", run_id))
    assert shown.status == 0
    assert "The own data prices.csv is not on this server any more." in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "gone.csv"), "gone.csv cannot be read"),
        (("--data", "bad.csv"), "Line 2: x and y must be finite numbers"),
        (("--data", "good.csv", "--samples", "5"), "samples cannot be set for own data"),
        (("--standardise",), "--data FILE"),
    ],
)
def test_own_data_that_cannot_be_trained_are_said(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text("1,2\n3,oops\n")
    Path("good.csv").write_text("1,2\n3,4\n")
    found = called(tmp_path / "runs.db", "train", *arguments)
    assert found.status == 2
    assert said in found.stderr


def test_a_run_with_replicas_says_how_fast_they_are_beside_each_device() -> None:
    turns = StepTurns((StepTurn(0.004, 0.001, 0.002),) * 3)
    found = of_turns(turns, 2)
    assert ratios_text(found) == (
        "a step on the replicas is 0.250 ± 0 times as fast as one core and "
        "0.500 ± 0 times as fast as the whole CPU"
    )
    assert ratios_text(of_turns(turns, 0)).endswith(": too noisy to tell")
    assert ratio_values(found) == {
        "one_core": {"speed_up": 0.25, "error": 0.0},
        "whole_cpu": {"speed_up": 0.5, "error": 0.0},
        "is_noisy": False,
    }
