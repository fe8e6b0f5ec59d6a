"""A group of ranks that measures: real processes, killed for real."""

import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.variants import OF_DDP, Variant
from dpdash.training.ddp.engine import MODULE, NO_START
from dpdash.training.ddp.group import RANK_GONE, RANK_HANGS, RankGroup
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


@contextmanager
def group_of_two(module: str = MODULE) -> Iterator[tuple[RankGroup, list[psutil.Process]]]:
    """A group that nothing is left of in the end, and its ranks."""
    before = set(psutil.Process().children(recursive=True))
    with RankGroup(2, module) as group:
        started = set(psutil.Process().children(recursive=True)) - before
        ranks = [each for each in started if "RANK" in each.environ()]
        assert len(ranks) == 2
        yield group, sorted(ranks, key=lambda each: int(each.environ()["RANK"]))
    eventually(lambda: not any(map(is_alive, started)))


def assert_broken(group: RankGroup, problem: str) -> None:
    """It says so at once, whatever it is asked for."""
    with pytest.raises(MeasuringError, match=re.escape(problem)):
        group.exchange(ExchangeWay.ALL_REDUCE, 4, 2, LONG_SECONDS)


def test_what_cannot_be_measured_is_said_and_nothing_is_left_behind() -> None:
    with group_of_two() as (group, _ranks):
        with pytest.raises(MeasuringError, match="negative"):
            group.measure(CONFIG.model_copy(update={"samples": -1}), Variant.ENGINE, 0.01)
        assert_broken(group, "negative")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (signal.SIGKILL, RANK_GONE),
        pytest.param(signal.SIGSTOP, RANK_HANGS, marks=pytest.mark.long),
    ],
    ids=["killed", "hangs"],
)
def test_a_rank_that_dies_or_hangs_ends_what_is_measured(number: signal.Signals, sentence: str) -> None:
    with group_of_two() as (group, ranks), ThreadPoolExecutor() as pool:
        # What is there only once has been made then: from here on the ranks do steps.
        group.measure(CONFIG, Variant.ENGINE, 0.01)
        before = ranks[1].cpu_times().user
        measuring = pool.submit(group.measure, CONFIG, Variant.ENGINE, LONG_SECONDS)
        eventually(lambda: ranks[1].cpu_times().user > before + 0.1)
        ranks[1].send_signal(number)
        with pytest.raises(MeasuringError) as raised:
            measuring.result()
        assert str(raised.value) == sentence
        assert_broken(group, sentence)


@pytest.mark.long
def test_a_rank_that_breaks_is_told_though_the_others_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NAME": "dpdash.training.ddp.variants.steady", "RANK": "1", "CALL": "1"}.items():
        monkeypatch.setenv(f"FAILING_TRACE_{name}", value)
    with group_of_two("tests.faults.failing_trace") as (group, _), pytest.raises(MeasuringError, match="broke"):
        group.measure(CONFIG, Variant.ENGINE, 0.01)


@pytest.mark.long
def test_ranks_that_do_not_come_up_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILING_START_MARKS", str(tmp_path))
    monkeypatch.setenv("FAILING_STARTS", "2")
    with pytest.raises(MeasuringError) as raised, group_of_two("tests.faults.failing_start"):
        pass
    assert str(raised.value) == NO_START
