"""What a rank of DDP does once torch is imported: find the others, and train or measure with them."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import torch
import torch.distributed as dist

from dpdash.core.events import RunEvent, RunFailed
from dpdash.problem import tables
from dpdash.training.ddp.channel import (
    BEAT_SECONDS,
    DEVICES_VARIABLE,
    FOLDER_VARIABLE,
    KEY_VARIABLE,
    WORD_NAME,
    Beat,
    FromRank,
    Heard,
    Hello,
    Measure,
    Measured,
    NotMeasured,
    RankSide,
    ToRank,
    knock,
)
from dpdash.training.ddp.layout import layout
from dpdash.training.ddp.placement import Rank
from dpdash.training.ddp.sharded import Ranks
from dpdash.training.ddp.shared_words import ControlWord
from dpdash.training.ddp.variants import RankMeasurer
from dpdash.training.failures import sentence
from dpdash.training.loop.run import train
from dpdash.training.processes.messages import Obey, Said, Stands, Train
from dpdash.training.processes.remote_control import RemoteControl

NUM_THREADS: Final = 1
"""A rank is one core's work; more threads would take the cores of the other ranks."""


def work_as_rank() -> None:
    """Do what is ordered, and wait to be ended. Called on a process's main thread."""
    rank, num_ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    folder, key = Path(os.environ[FOLDER_VARIABLE]), bytes.fromhex(os.environ.pop(KEY_VARIABLE))
    named = [int(index) for index in os.environ[DEVICES_VARIABLE].split(",") if index]
    places = layout(num_ranks, named)
    device = places.devices[rank]
    torch.set_num_threads(NUM_THREADS)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(places.backend)
    connection = knock(folder, key)
    connection.send(Hello(rank, os.getpid()))
    ranks = Ranks(rank, num_ranks, ControlWord(folder / WORD_NAME, num_ranks))
    order = connection.recv()
    if isinstance(order, Train):
        _train(order, Rank(order.config, device, places.names, ranks), connection)
    else:
        _measure(order, RankMeasurer(device, places.names, ranks), connection)


def _train(order: Train, placement: Rank, connection: RankSide) -> None:
    if order.table is not None:
        tables.keep(order.table)
    voice = Voice(connection, placement.leads)
    train(order.config, voice.say, voice.control, lambda: placement, start=order.start)
    # The others may still need this one, and whoever reads the last event ends them all.
    threading.Event().wait()


def _measure(order: ToRank, measurer: RankMeasurer, connection: RankSide) -> None:
    """Measure what is ordered until nobody orders any more."""
    line = Line(connection)
    with suppress(EOFError, OSError):
        while True:
            assert isinstance(order, Measure)
            try:
                line.send(Measured(measurer.measure(order)))
            except Exception as error:
                line.send(NotMeasured(sentence(error)))
            order = connection.recv()


class Line:
    """A rank's end of the channel, for several threads; it tells every half second that the rank is alive."""

    def __init__(self, connection: RankSide) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def send(self, message: FromRank) -> None:
        """Say something; where nobody listens any more, this process ends with its standard input."""
        with self._sending, suppress(OSError):
            self._connection.send(message)

    def _beat(self) -> None:
        while True:
            self.send(Beat())
            time.sleep(BEAT_SECONDS)


class Voice:
    """A rank's side of the channel: says its events, and has its control obey."""

    def __init__(self, connection: RankSide, is_leader: bool) -> None:
        self._line = Line(connection)
        self.control = RemoteControl(lambda num_obeyed: self._line.send(Stands(num_obeyed)))
        """Commands come to the leader alone; the other ranks follow it."""
        self._connection = connection
        self._is_leader = is_leader
        self._heard = threading.Semaphore(0)
        threading.Thread(target=self._obey, name="orders", daemon=True).start()

    def say(self, event: RunEvent) -> None:
        """Say an event and wait until it is taken, so that what it leads to holds from the very next epoch on.

        All that a rank other than the leader says is that it failed.
        """
        if self._is_leader:
            self._line.send(Said(event))
            self._heard.acquire()
        elif isinstance(event, RunFailed):
            self._line.send(Said(event))

    def _obey(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                order = self._connection.recv()
                if isinstance(order, Heard):
                    self._heard.release()
                else:
                    assert isinstance(order, Obey)
                    self.control.take(order)
