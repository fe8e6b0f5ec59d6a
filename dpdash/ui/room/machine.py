"""How busy this machine is, in numbers for a page."""

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from dpdash.training import hardware
from dpdash.training.hardware import CpuSeconds, DeviceLoad
from dpdash.ui.parts.metrics import Metric
from dpdash.ui.session.language import _, number

SHORTEST_LOOK_SECONDS: Final = 1.0
"""A share of a shorter time would say more about the last refresh than about the machine."""
LONGEST_LOOK_SECONDS: Final = 15.0
"""The mean over a longer time says nothing about now."""
BYTES_PER_GIB: Final = 2**30


class LoadMeter:
    """Looks at the machine's load, at most once a second however many pages ask; safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds and never jumps."""
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at: float | None = None
        self._cpu: CpuSeconds | None = None
        self._load: tuple[DeviceLoad, ...] = ()

    def read(self) -> tuple[DeviceLoad, ...]:
        """The load over the last seconds; after a long time without a look, how busy the CPU is stays open."""
        with self._lock:
            now = self._clock()
            seconds = math.inf if self._looked_at is None else now - self._looked_at
            if seconds >= SHORTEST_LOOK_SECONDS:
                self._load = hardware.load(self._cpu if seconds <= LONGEST_LOOK_SECONDS else None)
                self._looked_at, self._cpu = now, hardware.cpu_seconds()
            return self._load


def load_metrics(load: tuple[DeviceLoad, ...]) -> list[Metric]:
    """One number for each device: how busy it is, with its memory."""
    return [_metric(device) for device in load]


def _metric(load: DeviceLoad) -> Metric:
    device = load.device
    busy = (
        "–" if load.utilization is None else _("{percent} %").format(percent=number(round(load.utilization * 100)))
    )
    used = "–" if load.memory_used_bytes is None else _gib(load.memory_used_bytes)
    return Metric(
        _("CPU") if device.kind == "cpu" else _("GPU {index}").format(index=number(device.index)),
        busy,
        _("{used} of {total} GiB of memory").format(used=used, total=_gib(device.memory_bytes)),
        _("{device}: how busy it was over the last seconds, and how much of its memory is in use.").format(
            device=device.name
        ),
    )


def _gib(num_bytes: int) -> str:
    return number(num_bytes / BYTES_PER_GIB)
