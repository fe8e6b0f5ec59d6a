"""A group of ranks that measures: real processes, killed for real."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.variants import OF_DDP, Variant
from dpdash.training.ddp.group import RANK_GONE, RankGroup
from dpdash.training.variants.measurer import MeasuringError
from tests.fakes import eventually

CONFIG = RunConfig(samples=100, engine=EngineName.DDP, replicas=2, hidden_depth=1, hidden_width=8)
LONG_SECONDS = 600.0


def is_alive(process: psutil.Process) -> bool:
    """A zombie only waits for whoever inherits it."""
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture(scope="module")
def group() -> Iterator[RankGroup]:
    with RankGroup(2) as ranks:
        yield ranks


@pytest.mark.parametrize("variant", OF_DDP)
def test_every_way_to_do_a_step_is_measured(variant: Variant, group: RankGroup) -> None:
    steady = group.measure(CONFIG, variant, 0.01)
    assert steady.step_seconds > 0
    assert (steady.waiting_seconds is not None) == (variant is Variant.FIRST_ALL_REDUCE)


@pytest.mark.parametrize("way", ExchangeWay)
def test_every_way_to_exchange_is_measured(way: ExchangeWay, group: RankGroup) -> None:
    assert group.exchange(way, 4096, 2, 0.01).step_seconds > 0


def test_what_cannot_be_measured_is_said_and_nothing_is_left_behind() -> None:
    before = set(psutil.Process().children(recursive=True))
    with RankGroup(2) as group:
        ranks = set(psutil.Process().children(recursive=True)) - before
        with pytest.raises(MeasuringError, match="negative"):
            group.measure(CONFIG.model_copy(update={"samples": -1}), Variant.ENGINE, 0.01)
    assert len(ranks) == 3
    eventually(lambda: not any(map(is_alive, ranks)))


def test_a_rank_that_is_killed_ends_what_is_measured() -> None:
    before = set(psutil.Process().children(recursive=True))
    with RankGroup(2) as group:
        victim = next(
            each
            for each in psutil.Process().children(recursive=True)
            if each not in before and each.environ().get("RANK") == "1"
        )
        failures: list[MeasuringError] = []

        def measure() -> None:
            try:
                group.measure(CONFIG, Variant.ENGINE, LONG_SECONDS)
            except MeasuringError as error:
                failures.append(error)

        measuring = threading.Thread(target=measure)
        measuring.start()
        eventually(lambda: victim.cpu_times().user > 0 and measuring.is_alive())
        os.kill(victim.pid, signal.SIGKILL)
        measuring.join(60)
    assert [str(failure) for failure in failures] == [RANK_GONE]
