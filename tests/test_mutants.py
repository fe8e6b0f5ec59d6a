"""The faults of `make mutants` can be put into the code as it is now."""

from pathlib import Path

import pytest

from tests.mutants.faults import FAULTS, Fault

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.file}: {fault.old[:40]}")
def test_a_fault_has_one_place(fault: Fault) -> None:
    assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.old) == 1
    assert [name for name in fault.tests if not (ROOT / name.split("::")[0]).exists()] == []


def test_there_are_enough_faults_in_many_rooms() -> None:
    assert len(FAULTS) >= 40
    assert len({fault.file.split("/")[1] for fault in FAULTS}) >= 10
