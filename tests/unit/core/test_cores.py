"""The cores that a container leaves, as Linux's control groups tell them."""

from pathlib import Path

import pytest

from dpdash.core import cores
from dpdash.core.cores import num_cores, quotas, seconds_in_group

V2 = "0::/user/lab\n"
V1 = "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n"


def machine(root: Path, groups: str, **files: str) -> Path:
    """A machine whose control groups are these files."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups, encoding="ascii")
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="ascii")
    return root


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (V2, {"user/lab/cpu.max": "250000 100000\n"}, [2.5]),
        (V2, {"user/lab/cpu.max": "max 100000\n", "user/cpu.max": "100000 100000\n"}, [1.0]),
        (V2, {"cpu.max": "200000 100000\n"}, [2.0]),
        (V2, {"user/lab/cpu.max": "what is this"}, []),
        (V2, {}, []),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "150000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, [1.5]),
        (V1, {"cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "9"}, []),
        ("", {"cpu.max": "100000 100000\n"}, []),
    ],
)
def test_quotas(groups: str, files: dict[str, str], expected: list[float], tmp_path: Path) -> None:
    assert list(quotas(machine(tmp_path, groups, **files))) == expected


@pytest.mark.parametrize(("quota", "expected"), [("250000", 3), ("20000", 1), ("9900000", 16), ("max", 16)])
def test_a_quota_of_less_than_what_is_seen_counts(
    quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "ROOT", machine(tmp_path, V2, **{"user/lab/cpu.max": f"{quota} 100000"}))
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(16)), raising=False)
    assert num_cores.__wrapped__() == expected


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (V2, {"user/lab/cpu.max": "50000 100000", "user/lab/cpu.stat": "usage_usec 2500000\nuser_usec 1\n"}, 2.5),
        (
            V2,
            {
                "user/lab/cpu.max": "200000 100000",
                "user/lab/cpu.stat": "usage_usec 1000000\n",
                "user/cpu.max": "100000 100000",
                "user/cpu.stat": "usage_usec 9000000\n",
            },
            9.0,
        ),
        (V2, {"user/lab/cpu.max": "max 100000", "user/lab/cpu.stat": "usage_usec 2500000\n"}, None),
        (
            V1,
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
                "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "cpu,cpuacct/cpu.stat": "nr_periods 3\n",
            },
            None,
        ),
    ],
)
def test_the_time_of_all_that_shares_the_tightest_quota(
    groups: str, files: dict[str, str], expected: float | None, tmp_path: Path
) -> None:
    assert seconds_in_group(machine(tmp_path, groups, **files)) == expected
