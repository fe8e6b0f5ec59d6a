"""What a run's process and its ranks say to each other, over a local socket that asks who is there."""

import socket
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Final, TypeAlias

from dpdash.core.config import RunConfig
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.variants import Variant
from dpdash.training.processes.messages import Obey, Said, Stands, Train
from dpdash.training.variants.steady import Steady

FOLDER_VARIABLE: Final = "DPDASH_DDP_FOLDER"
KEY_VARIABLE: Final = "DPDASH_DDP_KEY"
DEVICES_VARIABLE: Final = "DPDASH_DDP_DEVICES"
"""The GPUs that the run names, with commas between; a rank chooses its own before it is told of the run."""
SOCKET_NAME: Final = "socket"
WORD_NAME: Final = "word"
BEAT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Hello:
    """From a rank, once: it and the others have found each other."""

    rank: int
    pid: int


@dataclass(frozen=True, slots=True)
class Beat:
    """From a rank, every half second: it is alive, whatever it waits for."""


@dataclass(frozen=True, slots=True)
class Heard:
    """To rank 0: its last event has been taken, and every command that this led to stands before."""


@dataclass(frozen=True, slots=True)
class StepWork:
    """A way to do the step of a config."""

    config: RunConfig
    variant: Variant


@dataclass(frozen=True, slots=True)
class ExchangeWork:
    """Adding up numbers of all ranks."""

    way: ExchangeWay
    num_bytes: int
    """Of each rank's numbers, in float32."""


@dataclass(frozen=True, slots=True)
class Measure:
    """To every rank of a group: find out how long something takes, the first ranks together."""

    work: StepWork | ExchangeWork
    num_ranks: int
    seconds: float
    """See `steady`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """From a rank that had a part in it: what it saw; None where it had nothing to do."""

    steady: Steady | None


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """From a rank: why something cannot be measured, in one sentence for people."""

    problem: str


ToRank = Train | Obey | Heard | Measure
FromRank = Hello | Beat | Said | Stands | Measured | NotMeasured
RunSide: TypeAlias = "Connection[ToRank, FromRank]"
RankSide: TypeAlias = "Connection[FromRank, ToRank]"


class Door:
    """Where the ranks of one run knock. Only who knows the key is let in."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._key = key
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(folder / SOCKET_NAME))
        self._socket.listen()

    def next(self, timeout: float) -> "RunSide | None":
        """The next that knocks and has the key; None when nobody does within `timeout` seconds."""
        self._socket.settimeout(timeout)
        try:
            knocking, _address = self._socket.accept()
        except TimeoutError:
            return None
        knocking.setblocking(True)
        connection: RunSide = Connection(knocking.detach())
        try:
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
        except (AuthenticationError, EOFError, OSError):
            connection.close()
            return None
        return connection

    def close(self) -> None:
        self._socket.close()


def knock(folder: Path, key: bytes) -> RankSide:
    """A rank's end of the channel."""
    return Client(str(folder / SOCKET_NAME), "AF_UNIX", authkey=key)
