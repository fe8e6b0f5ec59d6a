"""The cores that this process may really use: what it may run on, and the share of it that a container leaves."""

import math
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path("/")
MICROSECONDS: Final = 1_000_000


@cache
def num_cores() -> int:
    """Cores that this process may use."""
    return min([len(seen_cores()), *(max(1, math.ceil(quota)) for quota in quotas(ROOT))])


def seen_cores() -> frozenset[int]:
    """The numbers of the cores that this process may run on, of which a quota may leave it less."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def quotas(root: Path) -> Iterator[float]:
    """What Linux's control groups leave this process, in cores: of each group around it that has a quota.

    Version 2 has it in `cpu.max`, version 1 in two files (kernel documentation, cgroup-v2.rst and sched-bwc.rst).
    """
    return (quota for quota, _folder in _limited(root))


def seconds_in_group(root: Path) -> float | None:
    """Processor time of all that shares this process's tightest quota, since that began.

    None where there is no quota, or where its group does not tell: version 1 counts in another hierarchy.
    """
    _quota, folder = min(_limited(root), default=(0.0, None))
    if folder is None:
        return None
    numbers = dict(line.split() for line in _text(folder / "cpu.stat").splitlines())
    return int(numbers["usage_usec"]) / MICROSECONDS if "usage_usec" in numbers else None


def _limited(root: Path) -> Iterator[tuple[float, Path]]:
    """Quota and folder of each group around this process that has a quota."""
    for kind, group in _groups(root):
        top = root / "sys/fs/cgroup" / kind
        # In a container the group's own path may lie outside of what is seen: the root is then the container's.
        for path in (group, *group.parents):
            folder = top / path.relative_to("/")
            yield from ((quota, folder) for quota in _quota(folder))


def _groups(root: Path) -> Iterator[tuple[str, PurePosixPath]]:
    """The folder of each hierarchy that counts processor time, and this process's group in it."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, kinds, group = line.split(":", 2)
        if number == "0":
            yield "", PurePosixPath(group)
        elif "cpu" in kinds.split(","):
            yield kinds, PurePosixPath(group)


def _quota(folder: Path) -> Iterator[float]:
    quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
    if not period:
        quota, period = (_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    # "max" in version 2 and −1 in version 1 are no quota.
    if quota.isdigit() and period.isdigit() and int(period):
        yield int(quota) / int(period)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeError):
        return ""
