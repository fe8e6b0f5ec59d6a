"""Puts faults into a copy of the code, one at a time, and says which the tests notice: `python -m tests.mutants`.

Words after it choose the faults whose file has one of them.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.progress import track

from tests.mutants.faults import FAULTS, Fault

ROOT: Final = Path(__file__).resolve().parents[2]
NOT_COPIED: Final = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis")
SHARE_NOTICED: Final = 38 / 40
"""At least so many have to be noticed."""
LONGEST_SECONDS: Final = 600
"""For the tests of one fault: one that makes them wait for ever is noticed too."""
CONSOLE: Final = Console(stderr=True)


class MutantsError(Exception):
    """The faults cannot be tried."""


def main(words: Sequence[str]) -> int:
    """Try the faults; the exit status is 1 where too few are noticed."""
    faults = [fault for fault in FAULTS if not words or any(word in fault.file for word in words)]
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
        _require_sound(copy, faults)
        num_noticed = sum(_try(copy, fault) for fault in track(faults, "faults", console=CONSOLE))
    CONSOLE.print(f"{num_noticed} of {len(faults)} faults were noticed.")
    return 0 if num_noticed >= SHARE_NOTICED * len(faults) else 1


def _require_sound(copy: Path, faults: Sequence[Fault]) -> None:
    """Check that each fault has its place, and that no test fails without one.

    Raises:
        MutantsError: where one has not, or does.
    """
    for fault in faults:
        number = (copy / fault.file).read_text(encoding="utf-8").count(fault.old)
        if number != 1:
            raise MutantsError(
                f"{fault.old!r} stands in {fault.file} {number} times. Name what stands there once."
            )
    if not _pass(copy, sorted({test for fault in faults for test in fault.tests}), timeout=None):
        raise MutantsError("These tests fail as it is, so they would notice anything. Mend that first.")


def _try(copy: Path, fault: Fault) -> bool:
    """Whether the fault is noticed; says which one is not."""
    path = copy / fault.file
    right = path.read_text(encoding="utf-8")
    path.write_text(right.replace(fault.old, fault.new), encoding="utf-8")
    try:
        is_noticed = not _pass(copy, fault.tests)
    finally:
        path.write_text(right, encoding="utf-8")
    if not is_noticed:
        CONSOLE.print(f"not noticed: {fault.file}: {fault.old!r} as {fault.new!r}", markup=False, soft_wrap=True)
    return is_noticed


def _pass(copy: Path, tests: Sequence[str], timeout: float | None = LONGEST_SECONDS) -> bool:
    # Without .pyc: a fault as long as what it replaces, written in the same second, would be taken for that.
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not long", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*command, *tests], cwd=copy, env=variables, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except MutantsError as error:
        CONSOLE.print(str(error), markup=False, soft_wrap=True)
        sys.exit(2)
