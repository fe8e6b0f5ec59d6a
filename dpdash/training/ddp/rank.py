"""What a rank of DDP does once torch is imported: find the others, and train with them."""

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
    RankSide,
    knock,
)
from dpdash.training.ddp.layout import layout
from dpdash.training.ddp.placement import Rank
from dpdash.training.ddp.sharded import Ranks
from dpdash.training.ddp.shared_words import ControlWord
from dpdash.training.loop.run import train
from dpdash.training.processes.messages import Obey, Said, Stands, Train
from dpdash.training.processes.remote_control import RemoteControl

NUM_THREADS: Final = 1
"""A rank is one core's work; more threads would take the cores of the other ranks."""


def train_as_rank() -> None:
    """Train, say what is to be said, and wait to be ended. Called on a process's main thread."""
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
    order = connection.recv()
    assert isinstance(order, Train)
    if order.table is not None:
        tables.keep(order.table)
    ranks = Ranks(rank, num_ranks, ControlWord(folder / WORD_NAME, num_ranks))
    placement = Rank(order.config, device, places.names, ranks)
    voice = Voice(connection, ranks.is_leader)
    train(order.config, voice.say, voice.control, lambda: placement, start=order.start)
    # The others may still need this one, and whoever reads the last event ends them all.
    threading.Event().wait()


class Voice:
    """A rank's side of the channel: says its events, and has its control obey."""

    def __init__(self, connection: RankSide, is_leader: bool) -> None:
        self.control = RemoteControl(lambda num_obeyed: self._send(Stands(num_obeyed)))
        """Commands come to the leader alone; the other ranks follow it."""
        self._connection = connection
        self._is_leader = is_leader
        self._sending = threading.Lock()
        self._heard = threading.Semaphore(0)
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        threading.Thread(target=self._obey, name="orders", daemon=True).start()

    def say(self, event: RunEvent) -> None:
        """Say an event and wait until it is taken, so that what it leads to holds from the very next epoch on.

        All that a rank other than the leader says is that it failed.
        """
        if self._is_leader:
            self._send(Said(event))
            self._heard.acquire()
        elif isinstance(event, RunFailed):
            self._send(Said(event))

    def _send(self, message: FromRank) -> None:
        # Where nobody listens any more, this process ends with its standard input.
        with self._sending, suppress(OSError):
            self._connection.send(message)

    def _beat(self) -> None:
        while True:
            self._send(Beat())
            time.sleep(BEAT_SECONDS)

    def _obey(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                order = self._connection.recv()
                if isinstance(order, Heard):
                    self._heard.release()
                else:
                    assert isinstance(order, Obey)
                    self.control.take(order)
