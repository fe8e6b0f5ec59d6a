"""How fast replicas are beside one device: from a study, or from what a run has measured itself."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dpdash.core.scaling.curve import Spread
from dpdash.core.scaling.waterfall import Device, Waterfall
from dpdash.core.turns import StepTurns
from dpdash.findings.speed_up import is_noisy, speed_up

MOST_KEPT: Final = 64
"""Runs whose ratios are kept: a page that is refreshed asks for them each time."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as fast replicas are as a device."""

    device: Device
    speed_up: Spread


@dataclass(frozen=True, slots=True)
class Ratios:
    """The same replicas beside each device that they are compared with."""

    found: tuple[Ratio, ...]
    """Beside one core or one GPU; then, where that is another device, beside the whole CPU."""
    is_noisy: bool
    """Whether the turns are too noisy to say which is faster."""
    num_turns: int


@lru_cache(maxsize=MOST_KEPT)
def of_turns(measured: StepTurns, replicas: int) -> Ratios:
    """What a run of so many replicas has measured."""
    device = Device.ONE_GPU if measured.is_on_gpus else Device.ONE_CORE
    found = [Ratio(device, speed_up(measured.one_device, measured.replicas))]
    if measured.whole_cpu:
        found.append(Ratio(Device.WHOLE_CPU, speed_up(measured.whole_cpu, measured.replicas)))
    is_lost = is_noisy(measured.one_device, measured.replicas, replicas)
    return Ratios(tuple(found), is_lost, len(measured.turns))


def of_waterfall(measured: Waterfall) -> Ratios:
    """What a study has measured."""
    found = [Ratio(measured.device, measured.speed_up)]
    if measured.speed_up_of_cpu is not None:
        found.append(Ratio(Device.WHOLE_CPU, measured.speed_up_of_cpu))
    return Ratios(tuple(found), measured.is_noisy, measured.num_turns)
