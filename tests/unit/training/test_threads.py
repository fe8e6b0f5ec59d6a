"""How many threads an operation of torch has, and in which thread of this process."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import RunEvent, RunFinished
from dpdash.training.control import RunControl
from dpdash.training.engines.cpu_replicas import CpuReplicas
from dpdash.training.threads import AS_HERE, ONE_CORE, as_many_threads


def test_the_number_of_threads_is_that_of_this_thread_alone() -> None:
    usual = torch.get_num_threads()
    elsewhere: list[int] = []

    def look() -> None:
        torch.ones(10).sum()
        elsewhere.append(torch.get_num_threads())

    with as_many_threads(usual + 1):
        assert torch.get_num_threads() == usual + 1
        other = threading.Thread(target=look)
        other.start()
        other.join()
        assert torch.get_num_threads() == usual + 1
    assert torch.get_num_threads() == usual
    assert elsewhere == [usual]


@pytest.mark.parametrize("num_threads", [AS_HERE, torch.get_num_threads()])
def test_the_number_of_threads_stays_where_it_is_the_same(num_threads: int) -> None:
    usual = torch.get_num_threads()
    with as_many_threads(num_threads):
        assert torch.get_num_threads() == usual
    assert torch.get_num_threads() == usual


def test_a_number_within_a_number_is_this_threads_alone_too() -> None:
    usual = torch.get_num_threads()
    with ThreadPoolExecutor(1) as new_thread, as_many_threads(usual + 1), as_many_threads(usual + 2):
        assert torch.get_num_threads() == usual + 2
        assert new_thread.submit(torch.get_num_threads).result() == usual
    assert torch.get_num_threads() == usual


def test_many_that_set_theirs_at_once_leave_new_threads_as_they_were() -> None:
    usual = torch.get_num_threads()

    def train(number: int) -> None:
        for _ in range(20):
            with as_many_threads(usual + number):
                assert torch.get_num_threads() == usual + number

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(train, range(1, 9)))
    with ThreadPoolExecutor(1) as new_thread:
        assert new_thread.submit(torch.get_num_threads).result() == usual


def test_a_replica_on_a_cpu_has_one_thread_wherever_it_trains() -> None:
    usual, seen = torch.get_num_threads(), set()
    with as_many_threads(usual + 1):
        config = RunConfig(samples=8, epochs=2, engine=EngineName.CPU_REPLICAS, replicas=2)
        control = RunControl()

        def look(event: RunEvent) -> None:
            if not isinstance(event, RunFinished):
                seen.add(torch.get_num_threads())

        CpuReplicas().run(config, look, control)
        with CpuReplicas().place(config).distribute(Told(1, 1)) as distributed:
            told = distributed(torch.zeros(8, 1))
        assert torch.get_num_threads() == usual + 1
    assert seen == {ONE_CORE}
    assert told.flatten().tolist() == [ONE_CORE] * 8


class Told(torch.nn.Linear):
    """Says how many threads an operation of its own has."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full_like(x, torch.get_num_threads())
