"""How many threads torch uses for an operation."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import torch

AS_HERE: Final = 0
"""The number of threads of a run that has not been trained yet: whatever the process uses."""
ONE_CORE: Final = 1
"""The threads of a replica on a CPU: it is the work of one core, in this process as in a rank of DDP."""

_setting: Final = threading.Lock()
"""Two that set theirs at once would take each other's number for that of new threads, and leave it there."""


@contextmanager
def as_many_threads(num_threads: int) -> Iterator[None]:
    """Have torch use so many threads for each operation of this thread, and of no other one."""
    usual = torch.get_num_threads()
    if num_threads == AS_HERE:
        yield
        return
    set_here(num_threads)
    try:
        yield
    finally:
        set_here(usual)


def set_here(num_threads: int) -> None:
    """Have torch use so many threads for each operation of this thread from now on, and of no other one."""
    if num_threads == torch.get_num_threads():
        return
    # What is set holds for the thread that sets it, and for those that have not used torch yet: a thread that sets
    # what it found itself after that leaves this one's alone.
    with _setting, ThreadPoolExecutor(1) as new_thread:
        elsewhere = new_thread.submit(torch.get_num_threads).result()
        torch.set_num_threads(num_threads)
        new_thread.submit(torch.set_num_threads, elsewhere).result()
