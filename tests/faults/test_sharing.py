"""Two servers and a command line on one database: none of them declares another's runs interrupted."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.server import ROOT, running_server
from tests.fakes import eventually
from tests.faults.witness import CALM, SEEDS, Witness, ten_runs

ENDLESS = ("--samples", "100", "--epochs", "1000000", "--json")
COMMAND_LINE_SECONDS = 20
MANY_LOOKS = 20
"""Paced epochs that go by while a server looks for dead processes more than once."""


@contextmanager
def command_line(database: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`python -m dpdash train`, which trains until somebody stops it."""
    with subprocess.Popen(
        [sys.executable, "-m", "dpdash", "train", *ENDLESS],
        cwd=ROOT,
        env={**os.environ, "DPDASH_DATABASE_URL": f"sqlite:///{database}"},
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def statuses(database: Path) -> dict[str, int]:
    """How many runs have each status."""
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute("SELECT status, count(*) FROM runs GROUP BY status").fetchall())


def wait_for_looks(witness: Witness) -> None:
    """Wait until the server with the ten runs has looked for dead processes."""
    so_far = witness.num_epochs(SEEDS[0])
    eventually(lambda: witness.num_epochs(SEEDS[0]) > so_far + MANY_LOOKS)


@pytest.mark.long
def test_servers_and_a_command_line_leave_each_others_runs_alone(tmp_path: Path) -> None:
    all_of_them = len(SEEDS)
    with (
        ten_runs(tmp_path, {CALM: "1"}) as (first, witness),
        command_line(first.database) as training,
        running_server(tmp_path),
    ):
        eventually(lambda: statuses(first.database) == {"running": all_of_them + 1})
        wait_for_looks(witness)
        assert statuses(first.database) == {"running": all_of_them + 1}
        training.send_signal(signal.SIGINT)
        training.wait(COMMAND_LINE_SECONDS)
        assert statuses(first.database) == {"running": all_of_them, "stopped": 1}
        wait_for_looks(witness)
        assert statuses(first.database) == {"running": all_of_them, "stopped": 1}
