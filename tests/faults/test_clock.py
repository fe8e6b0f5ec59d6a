"""A clock that is set back by an hour, between runs and during one.

The system's clock belongs to everybody on this machine, so `time.time` of a process of its own is set back.
The steady clocks go on, as they do when a system's clock is set.
"""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sqlite3, sys, time
from dpdash.core.config import RunConfig
from dpdash.core.events import RunStatus
from dpdash.runs.service import Pace, RunService
from dpdash.core.settings import ServerSettings
from tests.fakes import eventually

wall, hours_back = time.time, 0
time.time = lambda: wall() - 3600 * hours_back

url = sys.argv[1]
settings = ServerSettings(database_url=url, full_speed_slots=1)
service = RunService.open(settings)

def started(owner, epochs=20):
    service.browser_opened(owner)
    return service.start(RunConfig(samples=20, epochs=epochs), owner, Pace.full_speed())

ids = [started("ann")]
assert service.runs.wait(ids[0], 60)
ids.append(started("bob", epochs=1_000_000))
eventually(lambda: service.runs.snapshot(ids[1]).history.num_epochs > 100)
hours_back = 1
before = service.runs.snapshot(ids[1]).history.num_epochs
eventually(lambda: service.runs.snapshot(ids[1]).history.num_epochs > before)
service.stop(ids[1], "bob")
assert service.runs.wait(ids[1], 60)
ids.append(started("ann"))
assert service.runs.wait(ids[2], 60)

# Presence: a browser that is gone is not forgotten an hour later, and one that is here is not stopped at once.
service.browser_closed("ann")
service.stop_abandoned()
ids.append(started("bob", epochs=1_000_000))
eventually(lambda: service.runs.snapshot(ids[3]).history.num_epochs > 0)
service.stop_abandoned()
assert service.runs.snapshot(ids[3]).status is RunStatus.RUNNING

def check(records):
    assert [record.run_id for record in records] == ids[::-1], "the newest first"
    for record in records:
        assert record.ended_at is None or record.ended_at >= record.created_at, record
        assert record.seconds >= 0

check(service.runs.latest())
assert [record.run_id for record in service.runs.latest(limit=2)] == ids[:1:-1]

# Retries, and what other processes read again and again while a run goes on.
eventually(lambda: service.runs.rows(ids[3]) is not None)
other = RunService.open(settings)
seen = other.snapshot(ids[3]).history.num_epochs
hours_back = 2
eventually(lambda: other.snapshot(ids[3]).history.num_epochs > seen)
lock = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
lock.execute("BEGIN EXCLUSIVE")
eventually(lambda: not service.runs.health.ok)
hours_back = 3
lock.close()
eventually(lambda: service.runs.health.ok)
saved = len(service.runs.rows(ids[3]))
eventually(lambda: len(service.runs.rows(ids[3])) > saved)
other.shutdown()
service.shutdown()

again = RunService.open(settings)
check(again.runs.latest())
seconds = again.rows(ids[1]).seconds
assert (seconds[1:] >= seconds[:-1]).all(), "the clock of a run goes on"
again.shutdown()
"""


@pytest.mark.long
def test_a_clock_that_jumps_back_breaks_nothing(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT, f"sqlite:///{tmp_path / 'runs.db'}"], check=True)
