"""Every engine by its name, and what this machine can offer."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dpdash.core.config import EngineName, RunConfig, for_its_engine
from dpdash.core.events import RunEvent, RunFailed
from dpdash.training.control import RunControl
from dpdash.training.ddp.engine import Ddp
from dpdash.training.engine import Engine
from dpdash.training.engines.cpu_replicas import CpuReplicas
from dpdash.training.engines.data_parallel import DataParallel
from dpdash.training.engines.single import Single
from dpdash.training.hardware import most_replicas, num_gpus

_log = logging.getLogger(__name__)

_ENGINES: Final[tuple[Engine, ...]] = (Single(), DataParallel(), CpuReplicas(), Ddp())
ENGINES: Final[Mapping[EngineName, Engine]] = MappingProxyType({engine.name: engine for engine in _ENGINES})


def engine(name: EngineName) -> Engine:
    """The engine of this name, whether this machine can run it or not."""
    return ENGINES[name]


def require(config: RunConfig) -> Engine:
    """The engine that a config asks for.

    Raises:
        EngineUnavailableError: if this machine cannot train the config with it.
    """
    wanted = engine(config.engine)
    problem = wanted.availability(config).problem
    if problem is not None:
        raise problem
    return wanted


def nearest(config: RunConfig) -> RunConfig:
    """The same settings; where this machine cannot train them, with the engine and the replicas that it has."""
    if engine(config.engine).availability(config).ok:
        return config
    here = offer()
    replicas = min(config.replicas, here.max_replicas)
    name = here.engine_for(replicas, wants_ddp=config.engine is EngineName.DDP)
    return RunConfig.parse(for_its_engine(dict(config) | {"replicas": replicas, "engine": name, "devices": None}))


def warm_up() -> None:
    """Pay now for what the first epoch of a process costs more than those after it.

    A machine that cannot train only says so: it must still show the page that tells why.
    """
    config = RunConfig(epochs=1)
    engine(config.engine).run(config, _report_failure, RunControl())


def _report_failure(event: RunEvent) -> None:
    if isinstance(event, RunFailed):
        _log.warning("The warm-up failed: %s\n%s", event.message, event.traceback)


@dataclass(frozen=True, slots=True)
class DeviceOffer:
    """What this machine has to choose from."""

    num_gpus: int
    max_replicas: int
    emulated: bool
    """True when more than one replica means threads on the CPU."""
    parallel_engine: EngineName
    has_ddp: bool

    def engine_for(self, replicas: int, wants_ddp: bool = False) -> EngineName:
        """The engine that trains so many replicas here."""
        if wants_ddp and self.has_ddp:
            return EngineName.DDP
        return EngineName.SINGLE if replicas == 1 else self.parallel_engine


def offer() -> DeviceOffer:
    """What this machine has: its GPUs, or replicas on the CPU where there are fewer than two."""
    gpus = num_gpus()
    emulated = gpus < 2
    return DeviceOffer(
        gpus,
        most_replicas(),
        emulated,
        EngineName.CPU_REPLICAS if emulated else EngineName.DATA_PARALLEL,
        has_ddp=engine(EngineName.DDP).availability(RunConfig(engine=EngineName.DDP)).ok,
    )
