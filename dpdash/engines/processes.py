"""Trains runs in processes of their own, so that the one that serves pages keeps its interpreter to itself.

Python runs one thread of a process at a time: runs at full speed and pages would wait for each other.
"""

import itertools
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Never, TypeAlias

from dpdash.config import EngineName, RunConfig
from dpdash.engines.base import Availability, Emit, Engine
from dpdash.engines.control import Command, RunControl
from dpdash.engines.messages import (
    Forget,
    FromProcess,
    Obey,
    Ready,
    Returned,
    Said,
    Stands,
    ToProcess,
    Train,
)
from dpdash.errors import N_
from dpdash.events import EpochBlock, RunFailed, StopReason

MODULE: Final = "dpdash.engines.training_process"
ROOT: Final = Path(__file__).resolve().parents[2]
PROCESS_GONE: Final = N_(
    "The process that trained this run ended before the run did; perhaps it was killed because memory was short. "
    "What was trained is kept. Press Start to train again, with fewer samples if it happens again."
)
END_SECONDS: Final = 0.5
"""What a process is given to end by itself."""

Orders: TypeAlias = "Connection[ToProcess, Never]"
Answers: TypeAlias = "Connection[Never, Ready | list[FromProcess]]"
Message = Said | Stands | Returned | None
"""What a run's thread waits for; None when the process is gone."""

_log = logging.getLogger(__name__)


class TrainingProcesses:
    """A few processes that train, each several runs at once; safe for threads.

    One that dies takes its runs along, which then fail, and another one takes its place. Where there is none, not
    yet or not on this machine, a run trains in the caller's process.
    """

    def __init__(self, num_processes: int, module: str = MODULE) -> None:
        """Start nothing yet. `module` is what each process runs."""
        self._num_processes = num_processes if os.name == "posix" else 0
        self._module = module
        self._lock = threading.Lock()
        self._processes: list[TrainingProcess] = []
        self._is_closed = False

    def start(self) -> None:
        """Start the processes, which takes seconds, and do not wait for them."""
        for _number in range(self._num_processes):
            self._start_one()

    @property
    def ready(self) -> "tuple[TrainingProcess, ...]":
        """The processes that can train now."""
        with self._lock:
            return tuple(process for process in self._processes if process.is_ready)

    def outside(self, engine: Engine) -> Engine:
        """The same engine, training in one of the processes."""
        return _Outside(engine, self)

    def wait_until_ready(self, timeout: float) -> None:
        """Wait until every process can train, or is gone; at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._lock:
            processes = tuple(self._processes)
        for process in processes:
            process.wait_until_ready(deadline - time.monotonic())

    def close(self) -> None:
        """End every process within a second; what still trains there fails."""
        with self._lock:
            self._is_closed = True
            processes = tuple(self._processes)
        for process in processes:
            process.hang_up()
        for process in processes:
            process.end()

    def choose(self, control: RunControl) -> "TrainingProcess | None":
        """The process with the least to do, for a run under this control; None when there is none."""
        if control.epochs_per_second is None:
            return min(self.ready, key=lambda process: (process.num_at_full_speed, process.num_runs), default=None)
        return min(self.ready, key=lambda process: process.num_runs, default=None)

    def _start_one(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            try:
                process = TrainingProcess(self._module, self._gone)
            except OSError as error:
                _log.warning("No further process for training, so runs train in the server's: %s", error)
                return
            self._processes.append(process)

    def _gone(self, process: "TrainingProcess") -> None:
        with self._lock:
            self._processes.remove(process)
            if self._is_closed:
                return
        _log.warning("A process that trains has ended by itself (exit status %s).", process.exit_status)
        # One that never was ready would only fail again, for ever.
        if process.was_ready:
            self._start_one()


class TrainingProcess:
    """One process that trains; safe for threads."""

    def __init__(self, module: str, on_gone: "Callable[[TrainingProcess], None]") -> None:
        """Start it.

        `on_gone` is called, from another thread, when it has ended, whoever wanted that.

        Raises:
            OSError: when there can be no further process.
        """
        self._decided = threading.Event()
        """Whether it is known to train, or never to train."""
        self._was_ready = False
        self._on_gone = on_gone
        self._numbers = itertools.count(1)
        self._runs: dict[int, tuple[RunControl, SimpleQueue[Message]]] = {}
        self._is_gone = False
        self._lock = threading.Lock()
        # Two pipes that nobody else has an end of: what comes out of them needs no further proof of who said it.
        self._process = subprocess.Popen(  # noqa: S603  # this very interpreter, with a module of this program
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_folders())},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        orders: Orders = Connection(os.dup(self._process.stdin.fileno()), readable=False)
        answers: Answers = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        self._process.stdin.close()
        self._process.stdout.close()
        self._orders: SimpleQueue[ToProcess | None] = SimpleQueue()
        threading.Thread(target=self._send_all, args=(orders,), name="orders", daemon=True).start()
        threading.Thread(target=self._receive_all, args=(answers,), name="answers", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        return self._process.poll()

    @property
    def is_ready(self) -> bool:
        """Whether it can train now."""
        return self._was_ready and not self._is_gone

    @property
    def was_ready(self) -> bool:
        """Whether it ever could."""
        return self._was_ready

    def wait_until_ready(self, timeout: float) -> None:
        """Wait until it can train or is gone, at most `timeout` seconds."""
        self._decided.wait(max(0.0, timeout))

    @property
    def num_runs(self) -> int:
        """Runs that it trains."""
        return len(self._runs)

    @property
    def num_at_full_speed(self) -> int:
        """Runs that it trains and that know no pace."""
        with self._lock:
            return sum(control.epochs_per_second is None for control, _messages in self._runs.values())

    def run(self, config: RunConfig, emit: Emit, control: RunControl) -> None:
        """Train a run there; see `Engine.run`."""
        number, messages = next(self._numbers), SimpleQueue[Message]()
        with self._lock:
            self._runs[number] = control, messages
            if self._is_gone:
                messages.put(None)

        def send(command: Command, num_commands: int) -> None:
            self._orders.put((number, Obey(command, num_commands)))

        control.hand_on(send)
        self._orders.put((number, Train(config)))
        try:
            _relay(messages, emit, control)
        finally:
            control.take_back()
            send(Command("stop", StopReason.ASKED), 0)
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

    def _send_all(self, orders: Orders) -> None:
        # A process that is gone takes no orders; that is told by the end of its answers.
        with orders, suppress(OSError):
            while (order := self._orders.get()) is not None:
                orders.send(order)

    def _receive_all(self, answers: Answers) -> None:
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
            messages.put(None)
        self.hang_up()
        self.end()
        self._decided.set()
        self._on_gone(self)

    def _take(self, answer: Ready | list[FromProcess]) -> None:
        if isinstance(answer, Ready):
            self._was_ready = True
            self._decided.set()
            return
        for number, message in answer:
            run = self._runs.get(number)
            if run is not None:
                run[1].put(message)


class _Outside:
    """An engine that trains in one of several processes."""

    def __init__(self, engine: Engine, processes: TrainingProcesses) -> None:
        self._engine = engine
        self._processes = processes

    @property
    def name(self) -> EngineName:
        return self._engine.name

    def availability(self, config: RunConfig) -> Availability:
        """See `Engine.availability`."""
        return self._engine.availability(config)

    def run(self, config: RunConfig, emit: Emit, control: RunControl) -> None:
        """See `Engine.run`."""
        chosen = self._processes.choose(control)
        (chosen or self._engine).run(config, emit, control)


def _relay(messages: "SimpleQueue[Message]", emit: Emit, control: RunControl) -> None:
    """Say here what is said there, until the engine there is done or its process is gone."""
    num_epochs, seconds = 0, 0.0
    while not isinstance(message := messages.get(), Returned):
        if message is None:
            emit(RunFailed(num_epochs, PROCESS_GONE, "", seconds))
            return
        if isinstance(message, Stands):
            control.stands(message.num_commands)
            continue
        if isinstance(message.event, EpochBlock):
            num_epochs, seconds = message.event.last_epoch, float(message.event.seconds[-1])
        emit(message.event)


def _import_folders() -> Sequence[str]:
    """Where the process finds this very program, wherever the server was started."""
    return [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
