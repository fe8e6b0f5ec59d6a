"""One process that trains, as the server sees it; `worker.py` is what runs there."""

import itertools
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Final, Never, TypeAlias

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_
from dpdash.core.events import Checkpoint, EpochBlock, RunFailed
from dpdash.core.steps import StepTrace
from dpdash.problem import tables
from dpdash.training.control import Command, RunControl
from dpdash.training.engine import Emit
from dpdash.training.processes.child import Child
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
from dpdash.training.trace.step import TraceError

PROCESS_GONE: Final = N_(
    "The process that trained this run ended before the run did; perhaps it was killed because memory was short. "
    "What was trained is kept. Press Start to train again, with fewer samples if it happens again."
)
TRACER_GONE: Final = N_(
    "The process that took this step apart ended before it was done; perhaps it was killed because memory was "
    "short. Trace a step again, with fewer samples if it happens again."
)
GONE: Final = Returned(RunFailed(num_epochs=0, message=PROCESS_GONE, traceback=""))
END_SECONDS: Final = 0.5
"""What a process is given to end by itself."""

TrainingChild: TypeAlias = "Child[ToProcess, Ready | list[FromProcess]]"
Message = Said | Stands | Returned | Traced | NotTraced
"""What the thread of a run, or of a traced step, waits for."""


class TrainingProcess:
    """One process that trains; safe for threads."""

    def __init__(self, child: TrainingChild, on_gone: "Callable[[TrainingProcess], None]") -> None:
        """`on_gone` is called, from another thread, when it has ended, whoever wanted that."""
        self.was_ready = False
        """Whether it could ever train."""
        self._decided = threading.Event()
        self._on_gone = on_gone
        self._numbers = itertools.count(1)
        self._runs: dict[int, tuple[RunControl, SimpleQueue[Message]]] = {}
        self._is_gone = False
        self._lock = threading.Lock()
        self._process = child.process
        self._orders: SimpleQueue[ToProcess | None] = SimpleQueue()
        threading.Thread(target=self._send_all, args=(child.orders,), name="orders", daemon=True).start()
        threading.Thread(target=self._receive_all, args=(child.answers,), name="answers", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        return self._process.poll()

    @property
    def is_ready(self) -> bool:
        """Whether it can train now."""
        return self.was_ready and not self._is_gone

    @property
    def is_gone(self) -> bool:
        """Whether it has ended; known before its runs are told so."""
        return self._is_gone

    def wait_until_ready(self, timeout: float) -> None:
        """Wait until it can train or is gone, at most `timeout` seconds."""
        self._decided.wait(max(0.0, timeout))

    @property
    def num_runs(self) -> int:
        """Runs that it trains, and steps that it takes apart."""
        return len(self._runs)

    @property
    def num_at_full_speed(self) -> int:
        """Runs that it trains and that know no pace."""
        with self._lock:
            return sum(control.epochs_per_second is None for control, _messages in self._runs.values())

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        """Train a run there; see `Engine.run`."""
        with self._listening(control) as (number, messages):

            def send(command: Command, num_commands: int) -> None:
                self._orders.put((number, Obey(command, num_commands)))

            control.hand_on(send)
            self._orders.put((number, Train(config, start, tables.of(config))))
            try:
                _relay(messages, emit, control, start)
            finally:
                control.take_back()

    def trace(self, config: RunConfig) -> StepTrace:
        """The first step of a config, taken apart there; see `tracing.trace_config`.

        Raises:
            TraceError: if there is none, whatever the reason.
        """
        step = self._take_apart(Trace(config, profiled=False, table=tables.of(config)))
        assert isinstance(step, StepTrace)
        return step

    def chrome_trace(self, config: RunConfig) -> bytes:
        """The same step as `torch.profiler` sees it there; see `tracing.chrome_trace`.

        Raises:
            TraceError: if there is none, whatever the reason.
        """
        step = self._take_apart(Trace(config, profiled=True, table=tables.of(config)))
        assert isinstance(step, bytes)
        return step

    def _take_apart(self, order: Trace) -> StepTrace | bytes:
        with self._listening(RunControl()) as (number, messages):
            self._orders.put((number, order))
            match messages.get():
                case Traced(step):
                    return step
                case NotTraced(template, values):
                    raise TraceError(template, **values)
                case _:
                    raise TraceError(TRACER_GONE)

    @contextmanager
    def _listening(self, control: RunControl) -> "Iterator[tuple[int, SimpleQueue[Message]]]":
        """A new number for what is done there, and what is said of it until nobody listens any more."""
        number, messages = next(self._numbers), SimpleQueue[Message]()
        with self._lock:
            self._runs[number] = control, messages
            if self._is_gone:
                messages.put(GONE)
        try:
            yield number, messages
        finally:
            self._orders.put((number, Forget()))
            with self._lock:
                del self._runs[number]

    def hang_up(self) -> None:
        """Let it end at once."""
        self._orders.put(None)

    def end(self) -> None:
        """Wait for its end, and make an end where it comes to none."""
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send_all(self, orders: "Connection[ToProcess, Never]") -> None:
        # A process that is gone takes no orders; that is told by the end of its answers.
        with orders, suppress(OSError):
            while (order := self._orders.get()) is not None:
                orders.send(order)

    def _receive_all(self, answers: "Connection[Never, Ready | list[FromProcess]]") -> None:
        try:
            with answers, suppress(EOFError, OSError):
                while True:
                    self._take(answers.recv())
        finally:
            self._end_runs()

    def _end_runs(self) -> None:
        with self._lock:
            self._is_gone = True
            waiting = tuple(messages for _control, messages in self._runs.values())
        for messages in waiting:
            messages.put(GONE)
        self.hang_up()
        self.end()
        self._decided.set()
        self._on_gone(self)

    def _take(self, answer: Ready | list[FromProcess]) -> None:
        if isinstance(answer, Ready):
            self.was_ready = True
            self._decided.set()
            return
        for number, message in answer:
            run = self._runs.get(number)
            if run is not None:
                run[1].put(message)


def _relay(messages: "SimpleQueue[Message]", emit: Emit, control: RunControl, start: Checkpoint | None) -> None:
    """Say here what is said there, until the engine there is done or its process is gone."""
    num_epochs, seconds = (start.epoch, start.seconds) if start else (0, 0.0)
    while not isinstance(message := messages.get(), Returned):
        if isinstance(message, Stands):
            control.stands(message.num_commands)
            continue
        assert isinstance(message, Said)
        if isinstance(message.event, EpochBlock):
            num_epochs, seconds = message.event.last_epoch, float(message.event.seconds[-1])
        emit(message.event)
    if message.broken is not None:
        emit(replace(message.broken, num_epochs=num_epochs, seconds=seconds))
