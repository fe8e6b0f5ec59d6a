"""A process that trains runs for a server: `python -m dpdash.training.processes.worker NUM_THREADS`.

It reads its orders from standard input and answers on standard output, several runs at once, each in a thread. It
lives as long as the server holds the other ends: then it ends at once, whatever trains.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Final, Never, TypeAlias

import torch

from dpdash.core.errors import DpdashError
from dpdash.core.events import RunEvent, RunFailed
from dpdash.problem import tables
from dpdash.training.catalog import engine, warm_up
from dpdash.training.processes.messages import (
    Forget,
    FromProcess,
    NotTraced,
    Obey,
    Ready,
    Returned,
    Said,
    Stands,
    ToProcess,
    Trace,
    Traced,
    Train,
)
from dpdash.training.processes.remote_control import RemoteControl
from dpdash.training.trace.step import NOT_TRACED, chrome_trace, trace_config

STANDARD_INPUT: Final = 0
STANDARD_OUTPUT: Final = 1
STANDARD_ERROR: Final = 2
SPACING_SECONDS: Final = 0.02
"""Between two messages: what several runs say meanwhile goes together, so that the server wakes up less often."""
NICENESS: Final = 10
"""Where there are fewer cores than there is work, a page that waits comes before an epoch."""

Orders: TypeAlias = "Connection[Never, ToProcess]"
Answers: TypeAlias = "Connection[Ready | list[FromProcess], Never]"


_log = logging.getLogger(__name__)


class Outbox:
    """Sends what the runs say, in order, from a thread of its own."""

    def __init__(self, connection: "Answers") -> None:
        self._connection = connection
        self._waiting: SimpleQueue[FromProcess] = SimpleQueue()
        self._is_urgent = threading.Event()
        threading.Thread(target=self._send_all, name="outbox", daemon=True).start()

    def put(self, message: FromProcess) -> None:
        """Send a message soon, and at once what somebody waits for."""
        self._waiting.put(message)
        if not isinstance(message[1], Said):
            self._is_urgent.set()

    def _send_all(self) -> None:
        # The server is gone: the process ends with the end of its input.
        with contextlib.suppress(OSError):
            while True:
                batch = [self._waiting.get()]
                self._is_urgent.clear()
                while not self._waiting.empty():
                    batch.append(self._waiting.get())
                self._connection.send(batch)
                self._is_urgent.wait(SPACING_SECONDS)


class RemoteRun:
    """A run of this process, from its first command to its end."""

    def __init__(self, number: int, outbox: Outbox) -> None:
        self.control = RemoteControl(lambda num_obeyed: outbox.put((number, Stands(num_obeyed))))
        self._number = number
        self._outbox = outbox

    def begin(self, order: Train | Trace) -> None:
        """Train, or take a step apart, in a thread of its own."""
        if order.table is not None:
            tables.keep(order.table)
        if isinstance(order, Trace):
            thread = threading.Thread(target=self._trace, args=(order,), name=f"step-{self._number}", daemon=True)
        else:
            thread = threading.Thread(target=self._train, args=(order,), name=f"run-{self._number}", daemon=True)
        thread.start()

    def _trace(self, order: Trace) -> None:
        take_apart = chrome_trace if order.profiled else trace_config
        answer: Traced | NotTraced
        try:
            answer = Traced(take_apart(order.config))
        except DpdashError as error:
            answer = NotTraced(error.template, error.values)
        except Exception as error:
            _log.exception("A step could not be taken apart.")
            answer = NotTraced(NOT_TRACED, {"reason": type(error).__name__})
        self._outbox.put((self._number, answer))

    def _train(self, order: Train) -> None:
        try:
            engine(order.config.engine).run(order.config, self._say, self.control, order.start)
        except BaseException as error:
            self._outbox.put((self._number, Returned(RunFailed.of(error, num_epochs=0, seconds=0.0))))
        else:
            self._outbox.put((self._number, Returned()))

    def _say(self, event: RunEvent) -> None:
        self._outbox.put((self._number, Said(event)))


def serve(orders: "Orders", answers: "Answers") -> Never:
    """Train what is ordered until the server hangs up."""
    warm_up()
    answers.send(Ready())
    outbox = Outbox(answers)
    runs: dict[int, RemoteRun] = {}
    while True:
        number, order = _next(orders)
        if isinstance(order, Forget):
            runs.pop(number).control.stop()
            continue
        if number not in runs:
            runs[number] = RemoteRun(number, outbox)
        if isinstance(order, Obey):
            runs[number].control.take(order)
        else:
            runs[number].begin(order)


def _next(orders: "Orders") -> ToProcess:
    try:
        message = orders.recv()
    except (EOFError, OSError):
        os._exit(0)  # threads that train must not hold it up: their runs are over
    return message


def main() -> None:
    """Train what is ordered by the process at the other end of the standard pipes."""
    orders, answers = standard_pipes()
    work(int(sys.argv[1]), orders, answers)


def standard_pipes() -> "tuple[Connection[Any, Any], Connection[Any, Any]]":
    """Standard input and output as the ends of orders and answers; this process then lets pages come first."""
    pipes = Connection(os.dup(STANDARD_INPUT), writable=False), Connection(os.dup(STANDARD_OUTPUT), readable=False)
    os.nice(NICENESS)
    return pipes


def work(num_threads: int, orders: Orders, answers: Answers) -> Never:
    """Train until the server hangs up, and let nothing else end the process."""
    seclude(num_threads)
    serve(orders, answers)


def seclude(num_threads: int) -> None:
    """Let torch use so many threads for an operation, and nothing but the server end this process."""
    torch.set_num_threads(num_threads)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), STANDARD_INPUT)
    # Whatever a library prints must not be taken for a message.
    os.dup2(STANDARD_ERROR, STANDARD_OUTPUT)
    # A signal to the whole group is for the server, which saves the runs first.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    main()
