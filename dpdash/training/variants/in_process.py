"""Ways to do a step whose replicas are all in this process, measured in it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from dpdash.core.config import RunConfig
from dpdash.core.cores import num_cores
from dpdash.core.errors import DpdashError
from dpdash.core.scaling.variants import Variant
from dpdash.training.catalog import engine
from dpdash.training.engine import InProcess
from dpdash.training.failures import sentence
from dpdash.training.hardware import chosen_gpus
from dpdash.training.loop.placement import Placement
from dpdash.training.threads import ONE_CORE, as_many_threads
from dpdash.training.variants.drawn import Drawn
from dpdash.training.variants.measurer import MeasuringError
from dpdash.training.variants.shards import Shard, at_once, with_one_backward
from dpdash.training.variants.steady import Steady, Step, steady


class InThisProcess:
    """Measures one device and DataParallel; see `Measurer`.

    A replica on a CPU is one core's work in a process whose operations have one thread.
    """

    def __init__(self) -> None:
        self._drawn = Drawn()

    def measure(self, config: RunConfig, variant: Variant, seconds: float) -> Steady:
        """See `Measurer`."""
        wanted = engine(config.engine)
        assert isinstance(wanted, InProcess)
        threads = as_many_threads(num_cores() if variant is Variant.WHOLE_CPU else ONE_CORE)
        try:
            placement = wanted.place(config)
            devices = _devices(config, placement)
            with threads, self._step(config, placement, devices, variant) as step:
                return steady(step, seconds, lambda: _wait(devices))
        except DpdashError:
            raise
        except Exception as error:
            raise MeasuringError(sentence(error)) from error

    @contextmanager
    def _step(
        self, config: RunConfig, placement: Placement, devices: tuple[torch.device, ...], variant: Variant
    ) -> Iterator[Step]:
        data, model = self._drawn.on(config, placement.device)
        if variant in (Variant.ENGINE, Variant.WHOLE_CPU):
            whole = Shard.on(placement.device, config, model, data.x, data.y)
            with placement.distribute(whole.model) as distributed:
                own = placement.step(distributed, whole.optimizer, len(data.y))
                yield lambda: own.update(own.predict(data.x), data.y)
            return
        shards = zip(devices, data.x.chunk(len(devices)), data.y.chunk(len(devices)), strict=False)
        parts = [Shard.on(device, config, model, x, y) for device, x, y in shards]
        if variant is Variant.SHARD_ALONE:
            yield parts[0].train
            return
        together = at_once if variant is Variant.SHARDS_AT_ONCE else with_one_backward
        with ThreadPoolExecutor(len(parts), thread_name_prefix="shard") as pool:
            yield together(parts, pool)


def _devices(config: RunConfig, placement: Placement) -> tuple[torch.device, ...]:
    """The device of each replica."""
    if placement.device.type == "cpu":
        return (placement.device,) * config.replicas
    return tuple(torch.device("cuda", index) for index in chosen_gpus(config))


def _wait(devices: tuple[torch.device, ...]) -> None:
    for device in devices:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
