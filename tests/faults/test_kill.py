"""A server that is killed while ten runs train: what is older than a second is stored."""

import threading
import time
from pathlib import Path

import pytest

from tests.chance import chance
from tests.e2e.server import LEAN, running_server
from tests.faults.witness import found, ten_runs

LIFE_SECONDS = (1.0, 3.0)
"""How long the runs train: at least so long that all of them have something to lose."""
OLDEST_LOST_SECONDS = 1.0


@pytest.mark.parametrize(
    "number", [pytest.param(1, marks=pytest.mark.long), 2, pytest.param(3, marks=pytest.mark.long)]
)
def test_a_killed_server_loses_at_most_a_second(number: int, tmp_path: Path) -> None:
    with ten_runs(tmp_path, LEAN) as (server, witness):
        # Any moment is as good as another, and over many test runs all of them are tried.
        threading.Event().wait(chance().uniform(*LIFE_SECONDS))
        died_at = time.monotonic()
        server.process.kill()
        server.process.wait()
    if number == 1:
        with running_server(tmp_path, LEAN):
            pass
    after = found(server.database, witness, died_at)
    assert after.mistakes == ()
    assert after.oldest_lost_seconds <= OLDEST_LOST_SECONDS
