"""How many threads an operation of torch has, and in which thread of this process."""

import threading

import pytest
import torch

from dpdash.training.threads import AS_HERE, as_many_threads


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
