"""How many threads torch uses for an operation."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

AS_HERE: Final = 0
"""The number of threads of a run that has not been trained yet: whatever the process uses."""


@contextmanager
def as_many_threads(num_threads: int) -> Iterator[None]:
    """Have torch use so many threads for each operation of this thread, and of no other one."""
    usual = torch.get_num_threads()
    if num_threads in (AS_HERE, usual):
        yield
        return
    _set_here(num_threads, usual)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def _set_here(num_threads: int, elsewhere: int) -> None:
    # What is set holds for the thread that sets it, and for those that have not used torch yet: a thread that sets
    # the usual number after that leaves this one's alone.
    torch.set_num_threads(num_threads)
    other = threading.Thread(target=torch.set_num_threads, args=(elsewhere,))
    other.start()
    other.join()
