"""A colleague's runs, brought in from a file as runs of one's own."""

from typing import IO

from dpdash.core.errors import N_, ConfigError, RunFileError
from dpdash.files.run_reader import read_runs
from dpdash.runs.ids import new_run_id
from dpdash.runs.service import RunService


def import_runs(file: IO[bytes], service: RunService, owner: str) -> tuple[str, ...]:
    """Check a whole file, then save its runs under new ids, all or none; the ids, in the order of the file.

    Raises:
        RunFileError: with one sentence about the first thing that is not as it should be.
        StoreError: when the database cannot be used.
    """
    arrived = read_runs(file)
    for number, run in enumerate(arrived, start=1):
        problems = service.limits.problems(run.config)
        if problems:
            raise RunFileError(
                N_("Run {number} of the file is larger than this server allows. {problems}"),
                number=number,
                problems=ConfigError(problems),
            )
    named = {new_run_id(): run for run in arrived}
    service.runs.transfer.put(named, owner)
    return tuple(named)
