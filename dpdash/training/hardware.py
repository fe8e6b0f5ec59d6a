"""What this machine can train on: its devices with their memory, and how busy they are."""

import platform
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import psutil
import torch

from dpdash.core.config import RunConfig
from dpdash.core.cores import num_cores
from dpdash.core.errors import N_, DpdashError, EngineUnavailableError

MIN_CPU_REPLICAS: Final = 4
"""Replicas that can be had on the CPU even on fewer cores: with two, uneven shards would never be seen."""
CPU: Final = N_("CPU")
CPU_CORE: Final = N_("CPU core")
CPU_INFO: Final = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Device:
    """A processor that can train."""

    name: str
    kind: Literal["cpu", "cuda"]
    index: int
    """Number of the GPU; 0 for the CPU."""
    memory_bytes: int
    """All the memory it has."""


@dataclass(frozen=True, slots=True)
class CpuSeconds:
    """What cores have done since the machine was started, in seconds of all of them together."""

    busy: float
    total: float


@dataclass(frozen=True, slots=True)
class DeviceLoad:
    """How busy a device is at this moment; None where the machine does not tell."""

    device: Device
    utilization: float | None
    """Fraction of the time that it was busy, 0 to 1."""
    memory_used_bytes: int | None


def num_gpus() -> int:
    """GPUs that this process may use."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def most_replicas() -> int:
    """Replicas that this machine can be asked for: one a GPU, or one a core where there are no two GPUs."""
    gpus = num_gpus()
    return gpus if gpus >= 2 else max(MIN_CPU_REPLICAS, num_cores())


def chosen_gpus(config: RunConfig) -> tuple[int, ...]:
    """The GPUs of a run's replicas, in their order: those that it names, or else the first ones."""
    return config.devices or tuple(range(config.replicas))


def missing_gpus(config: RunConfig) -> EngineUnavailableError | None:
    """What is wrong with the GPUs that a run names: some are not in this machine."""
    gpus = num_gpus()
    missing = [index for index in config.devices or () if index >= gpus]
    if not missing:
        return None
    return EngineUnavailableError(
        N_(
            "The devices must be GPUs of this machine, which has {num_gpus}, numbered from 0. "
            "Received: {received}. {way_out}"
        ),
        num_gpus=gpus,
        received=", ".join(map(str, missing)),
        way_out=DpdashError(N_("Leave them out, or move the slider of the replicas.")),
    )


def gpu_name(index: int) -> str:
    """Name of a GPU, with its number, because several are usually alike."""
    return f"{torch.cuda.get_device_name(index)} {index}"


@lru_cache(maxsize=1)
def devices() -> tuple[Device, ...]:
    """The CPU and every GPU, in this order."""
    cpu = Device(_cpu_name(), "cpu", 0, psutil.virtual_memory().total)
    return (cpu, *(_gpu(index) for index in range(num_gpus())))


def cpu_seconds(cores: Collection[int] | None = None) -> CpuSeconds:
    """What some cores, or all, have done so far: to compare the next `load` with."""
    # Not psutil.cpu_percent: that remembers its last look once a thread, and each refresh of a page is a new one.
    each = [psutil.cpu_times()] if cores is None else psutil.cpu_times(percpu=True)
    # Cores that are switched off are not told of, and the others then have no number.
    wanted = each if cores is None or len(each) <= max(cores) else [each[core] for core in cores]
    total = sum(sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0) for times in wanted)
    idle = sum(times.idle + getattr(times, "iowait", 0.0) for times in wanted)
    return CpuSeconds(total - idle, total)


def load(since: CpuSeconds | None = None) -> tuple[DeviceLoad, ...]:
    """How busy each of `devices()` is now; the CPU since a moment, for it tells only what it has done so far."""
    return tuple(_cpu_load(device, since) if device.kind == "cpu" else _gpu_load(device) for device in devices())


def _gpu(index: int) -> Device:
    return Device(gpu_name(index), "cuda", index, torch.cuda.get_device_properties(index).total_memory)


def _cpu_name() -> str:
    try:
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or CPU


def _cpu_load(device: Device, since: CpuSeconds | None) -> DeviceLoad:
    memory, now = psutil.virtual_memory(), cpu_seconds()
    seconds = 0.0 if since is None else now.total - since.total
    busy = None if since is None or seconds <= 0 else min(1.0, max(0.0, (now.busy - since.busy) / seconds))
    return DeviceLoad(device, busy, memory.total - memory.available)


def _gpu_load(device: Device) -> DeviceLoad:
    try:
        return DeviceLoad(
            device, torch.cuda.utilization(device.index) / 100, torch.cuda.device_memory_used(device.index)
        )
    except Exception:  # NVML has its own errors, one a driver: whichever it is, the load is unknown
        return DeviceLoad(device, None, None)
