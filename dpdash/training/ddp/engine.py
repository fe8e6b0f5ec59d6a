"""torch's DistributedDataParallel: a process for each replica, on GPUs, sharing one, or on CPU cores."""

import math
import os
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import Final

import torch.distributed as dist

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import N_, EngineUnavailableError
from dpdash.core.events import Checkpoint, EpochBlock, RunEvent, RunFailed, RunStopped, TerminalEvent
from dpdash.problem import tables
from dpdash.training.control import Command, RunControl
from dpdash.training.ddp.channel import Heard, RunSide, ToRank
from dpdash.training.ddp.launch import Launch, NoFolderError, RankSilentError, StartFailedError
from dpdash.training.ddp.sharded import LEADER
from dpdash.training.engine import Availability, Emit
from dpdash.training.hardware import missing_gpus, most_replicas
from dpdash.training.processes.messages import Obey, Said, Stands, Train

MODULE: Final = "dpdash.training.ddp.worker"
NUM_STARTS: Final = 2
"""A start that fails is normal enough to try once more: ports and memory may be short for a moment."""
RANK_GONE: Final = N_(
    "One of the processes that trained this run ended before the run did; perhaps it was killed because memory "
    "was short. What was trained is kept. Press Start to train again, with fewer replicas if it happens again."
)
RANK_HANGS: Final = N_(
    "One of the processes that trained this run has not answered for some seconds, so the run was ended. What was "
    "trained is kept. Press Start to train again, with fewer replicas if it happens again."
)
NO_FOLDER: Final = N_(
    "DDP needs a temporary folder, and none can be made on this machine. Let TMPDIR name a folder that can be "
    "written into, or train with DataParallel."
)
NO_START: Final = N_(
    "The processes of DDP could not be started, in two attempts. Try it again, or train with fewer replicas or "
    "with DataParallel."
)


class Ddp:
    """Trains with `DistributedDataParallel` in processes that torchrun starts, one a replica."""

    name = EngineName.DDP

    def availability(self, config: RunConfig) -> Availability:
        """Where torch can do it, for as many replicas as there are GPUs or, shared, a few more."""
        if os.name != "posix" or not dist.is_available() or not dist.is_gloo_available():
            return Availability(
                EngineUnavailableError(
                    N_(
                        "DDP needs Linux or macOS, and a torch that has Gloo. This machine is: {system}. "
                        "Try the engine {hint}."
                    ),
                    hint=EngineName.CPU_REPLICAS,
                    system=os.name,
                )
            )
        limit = most_replicas()
        if config.replicas > limit:
            return Availability(
                EngineUnavailableError(
                    N_("DDP takes at most {limit} replicas on this machine. Received: {replicas}. Try {limit}."),
                    limit=limit,
                    replicas=config.replicas,
                )
            )
        return Availability(missing_gpus(config))

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        """See `Engine.run`."""
        ending: TerminalEvent | None = None
        order = Train(config, start, tables.of(config))
        for attempt in range(NUM_STARTS):
            run = _Run(order, emit, control)
            try:
                with Launch(config.replicas, MODULE, config.devices) as launch:
                    ending = run.follow(launch)
                break
            except NoFolderError as error:
                ending = run.failed(NO_FOLDER, str(error))
                break
            except StartFailedError as error:
                ending = run.failed(NO_START, f"Attempt {attempt + 1}:\n{error}")
        assert ending is not None
        emit(ending)


class _Run:
    """A run as its own process sees it: says here what rank 0 says there, and hands commands on."""

    def __init__(self, order: Train, emit: Emit, control: RunControl) -> None:
        self._order, self._emit, self._control = order, emit, control
        start = order.start
        self._num_epochs, self._seconds = (start.epoch, start.seconds) if start else (0, 0.0)
        self._has_begun = False
        self._orders: SimpleQueue[ToRank | None] = SimpleQueue()

    def follow(self, launch: Launch) -> TerminalEvent:
        """Train until the run ends, and return how.

        Raises:
            StartFailedError: if the ranks do not come up, or one is gone before anything was trained.
        """
        if not launch.wait_until_connected(lambda: self._control.stop_reason is None):
            reason = self._control.stop_reason
            assert reason is not None
            return RunStopped(self._num_epochs, math.nan, math.nan, self._seconds, reason)
        with suppress(OSError):  # one that is gone already is found to be when it is listened to
            for connection in launch.ranks:
                connection.send(self._order)
        leader = launch.connection(LEADER)
        sender = threading.Thread(target=self._send_all, args=(leader,), name="orders")
        sender.start()
        self._control.hand_on(self._hand_on)
        try:
            return self._listen(launch)
        finally:
            self._control.take_back()
            self._orders.put(None)
            launch.end_processes()  # a rank that reads no more orders must not hold the sender up
            sender.join()

    def _hand_on(self, command: Command, num_commands: int) -> None:
        self._orders.put(Obey(command, num_commands))

    def _send_all(self, leader: RunSide) -> None:
        # A rank that is gone takes no orders; that is told by the end of what it says.
        with suppress(OSError):
            while (order := self._orders.get()) is not None:
                leader.send(order)

    def _listen(self, launch: Launch) -> TerminalEvent:
        try:
            for connection in launch.speaking():
                ending = self._take(launch, connection)
                if ending is not None:
                    return ending
        except RankSilentError as error:
            return self.failed(RANK_HANGS, str(error))
        raise AssertionError("They speak until the run has ended.")

    def _take(self, launch: Launch, connection: RunSide) -> TerminalEvent | None:
        """Take a rank's next message; how the run ends, where that ends it."""
        try:
            message = connection.recv()
        except (EOFError, OSError):
            if not self._has_begun:
                raise StartFailedError(launch.log()) from None
            return self.failed(RANK_GONE, f"Rank {launch.ranks[connection]} is gone.\n{launch.log()}")
        if isinstance(message, Stands):
            self._control.stands(message.num_commands)
        elif isinstance(message, Said):
            if isinstance(message.event, RunFailed):
                text = RANK_GONE if launch.has_lost_one() else message.event.message
                return self.failed(text, message.event.traceback)
            if isinstance(message.event, TerminalEvent):
                return message.event
            self._say(message.event)
        return None

    def _say(self, event: RunEvent) -> None:
        self._has_begun = True
        if isinstance(event, EpochBlock):
            self._num_epochs, self._seconds = event.last_epoch, float(event.seconds[-1])
        self._emit(event)
        self._orders.put(Heard())

    def failed(self, message: str, told: str) -> RunFailed:
        """The end of a run of which no more can be trained."""
        return RunFailed(self._num_epochs, message, told, self._seconds)
