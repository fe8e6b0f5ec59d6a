"""A server that is killed amid its runs: they go on as if nobody had killed it."""

from pathlib import Path

import pytest

from tests.faults.resuming import CONFIGS, kill_and_resume


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.long), 2])
def test_runs_of_a_killed_server_go_on_as_if_it_never_was(number: int, tmp_path: Path) -> None:
    resumed = kill_and_resume(tmp_path)
    assert resumed.mistakes == ()
    assert len(resumed.epochs_again) == len(CONFIGS)
    assert min(resumed.epochs_again) >= 0
