"""What the figures were measured on, without names or paths of the machine."""

import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
import torch

from dpdash.core.cores import num_cores

CPU_INFO: Final = Path("/proc/cpuinfo")
PACKAGES: Final = ("torch", "streamlit", "SQLAlchemy", "plotly")
BYTES_PER_GIB: Final = 2**30


def describe() -> dict[str, str]:
    """The machine and the versions of what runs on it."""
    memory = psutil.virtual_memory().total / BYTES_PER_GIB
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "cpu": f"{_cpu_name()}, {num_cores()} cores",
        "memory": f"{memory:.0f} GiB",
        "gpus": ", ".join(gpus) or "none",
        "system": platform.system(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name.lower(): version(name) for name in PACKAGES},
    }


def _cpu_name() -> str:
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
