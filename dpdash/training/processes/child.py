"""A process that trains, before anybody has spoken with it: started anew, or copied from this one."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Final, Generic, Never, Protocol, TypeVar

from dpdash.training.processes.environment import environment

Order = TypeVar("Order")
Answer = TypeVar("Answer")
LOOK_SECONDS: Final = 0.005
"""Between two looks at a copy that is to end."""


class Process(Protocol):
    """What is wanted of a process, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Child(Generic[Order, Answer]):
    """A process and the two pipes to it, of which nobody else has an end: who speaks there needs no proof."""

    process: Process
    orders: "Connection[Order, Never]"
    answers: "Connection[Never, Answer]"


def started(module: str, num_threads: int) -> Child[Any, Any]:
    """A module of this program in a new interpreter, which takes seconds to import torch.

    Raises:
        OSError: when there can be no further process.
    """
    process = subprocess.Popen(  # noqa: S603  # this very interpreter, with a module of this program
        [sys.executable, "-m", module, str(num_threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None and process.stdout is not None
    orders: Connection[Any, Never] = Connection(os.dup(process.stdin.fileno()), readable=False)
    answers: Connection[Never, Any] = Connection(os.dup(process.stdout.fileno()), writable=False)
    process.stdin.close()
    process.stdout.close()
    return Child(process, orders, answers)


def copied(work: Callable[[Connection, Connection], Never], earlier: Iterable[Child[Any, Any]]) -> Child[Any, Any]:
    """This process as it stands, with what it has imported; `work` gets its orders' end and its answers' end.

    This one must have a single thread, and have used neither a GPU nor torch's threads. `earlier` are its other
    copies, whose pipes are none of the new one's business.

    Raises:
        OSError: when there can be no further process.
    """
    to_obey, orders = Pipe(duplex=False)
    answers, to_answer = Pipe(duplex=False)

    def begin() -> Never:
        for end in (orders, answers, *(end for child in earlier for end in (child.orders, child.answers))):
            end.close()
        work(to_obey, to_answer)

    process = _Copy(begin)
    to_obey.close()
    to_answer.close()
    return Child(process, orders, answers)


class _Copy:
    """A copy of this process; safe for threads."""

    def __init__(self, begin: Callable[[], Never]) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self._lock = threading.Lock()
        self._exit_status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                begin()
            finally:
                os._exit(1)

    def poll(self) -> int | None:
        with self._lock:
            if self._exit_status is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self._exit_status = os.waitstatus_to_exitcode(status)
            return self._exit_status

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (exit_status := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired("a copy of this process", timeout or 0.0)
            time.sleep(LOOK_SECONDS)
        return exit_status

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
