"""The cores that others take: from made-up seconds, and with a program that takes one."""

import subprocess
import sys

import pytest

from dpdash.core.cores import num_cores
from dpdash.scaling import other_programs
from dpdash.scaling.other_programs import CoreSeconds, OtherPrograms
from tests.fakes import eventually

SPIN = "print(flush=True)\nwhile True: pass"


@pytest.mark.parametrize(
    ("own", "everything", "share"),
    [(0.5, 1.5, 0.5), (1.0, 1.0, 0.0), (1.0, 0.9, 0.0), (0.0, 9.0, 1.0), (0.0, None, None)],
)
def test_others_took_what_this_program_did_not(own: float, everything: float | None, share: float | None) -> None:
    before = CoreSeconds(10.0, 100.0, None if everything is None else 300.0)
    after = CoreSeconds(11.0, 100.0 + own, None if everything is None else 300.0 + everything)
    assert before.others_until(after, cores=2) == share


def test_what_no_time_passed_in_is_not_known() -> None:
    moment = CoreSeconds(10.0, 100.0, 300.0)
    assert moment.others_until(moment, cores=2) is None


def test_programs_that_this_one_started_are_its_own() -> None:
    before = CoreSeconds.now()
    with subprocess.Popen([sys.executable, "-c", SPIN], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            eventually(lambda: CoreSeconds.now().own > before.own + 0.2)
        finally:
            child.kill()
    assert CoreSeconds.now().own > before.own + 0.2, "its time stays when it has ended"


def test_where_a_quota_leaves_less_than_is_seen_its_group_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_programs, "quotas", lambda _root: iter([num_cores() - 0.5]))
    monkeypatch.setattr(other_programs, "seconds_in_group", lambda _root: None)
    assert OtherPrograms().share() is None
    monkeypatch.setattr(other_programs, "quotas", lambda _root: iter([]))
    assert OtherPrograms().share() is not None
