from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch

from dpdash.training import hardware


class Times(NamedTuple):
    """What Linux has counted, in seconds."""

    user: float
    system: float
    idle: float
    iowait: float
    guest: float
    guest_nice: float


def test_the_cpu_comes_first_with_its_memory() -> None:
    cpu = hardware.devices()[0]
    assert cpu.kind == "cpu" and cpu.name and cpu.memory_bytes > 0
    assert [device.index for device in hardware.devices()[1:]] == list(range(hardware.num_gpus()))


def test_load_is_a_fraction_and_a_part_of_the_memory() -> None:
    for load in hardware.load():
        assert load.utilization is None or 0 <= load.utilization <= 1
        assert load.memory_used_bytes is None or 0 <= load.memory_used_bytes <= load.device.memory_bytes


def test_a_cpu_that_waits_for_a_disk_is_not_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    times = Times(user=4.0, system=2.0, idle=8.0, iowait=3.0, guest=1.0, guest_nice=0.5)
    monkeypatch.setattr("psutil.cpu_times", lambda: times)
    assert hardware.cpu_seconds() == hardware.CpuSeconds(busy=6.0, total=17.0), "a guest's time is the user's too"


@pytest.mark.parametrize(
    ("busy", "total", "expected"),
    [(3.0, 8.0, 0.25), (1.0, 8.0, 0.0), (9.0, 8.0, 1.0), (3.0, 4.0, None)],
    ids=["a quarter", "less than then", "more than there was", "no time"],
)
def test_the_load_since_a_moment_is_a_fraction_whatever_the_system_counts(
    monkeypatch: pytest.MonkeyPatch, busy: float, total: float, expected: float | None
) -> None:
    monkeypatch.setattr(hardware, "cpu_seconds", lambda: hardware.CpuSeconds(busy, total))
    assert hardware.load(hardware.CpuSeconds(2.0, 4.0))[0].utilization == expected


def test_memory_that_could_be_had_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = SimpleNamespace(total=16 * 2**30, available=13 * 2**30)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    assert hardware.load()[0].memory_used_bytes == 3 * 2**30


def test_a_gpu_that_does_not_tell_has_no_load(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = hardware.Device("GPU", "cuda", 0, 2**30)

    def silent(device: int) -> int:
        raise ModuleNotFoundError("pynvml")

    monkeypatch.setattr(hardware, "devices", lambda: (gpu,))
    monkeypatch.setattr(torch.cuda, "utilization", silent)
    assert hardware.load() == (hardware.DeviceLoad(gpu, None, None),)


def test_a_machine_without_cpu_names_still_has_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "CPU_INFO", hardware.CPU_INFO / "missing")
    monkeypatch.setattr("platform.processor", lambda: "")
    hardware.devices.cache_clear()
    assert hardware.devices()[0].name == "CPU"
    hardware.devices.cache_clear()
