"""A clock that is set back by an hour, between runs and during one.

The system's clock belongs to everybody on this machine, so `time.time` of a process of its own is set back.
The steady clocks go on, as they do when a system's clock is set.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.server import ROOT
from tests.faults.clock_set_back import PROMISES


@pytest.mark.long
def test_a_clock_that_jumps_back_breaks_no_promise(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.clock_set_back", f"sqlite:///{tmp_path / 'runs.db'}"]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    kept = told.stdout.splitlines()
    broken = [promise.__name__ for promise in PROMISES if promise.__name__ not in kept]
    assert not broken, f"{broken[0]} does not hold"
    assert told.returncode == 0
