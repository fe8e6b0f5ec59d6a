"""The processes of one run of DDP: torchrun, and the ranks that it starts."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final, Self

import psutil

from dpdash.training.ddp.channel import (
    BEAT_SECONDS,
    DEVICES_VARIABLE,
    FOLDER_VARIABLE,
    KEY_VARIABLE,
    SOCKET_NAME,
    WORD_NAME,
    Door,
    Hello,
    RunSide,
)
from dpdash.training.ddp.shared_words import ControlWord
from dpdash.training.processes.environment import environment

START_SECONDS: Final = 120.0
"""What the ranks are given to import torch and to find each other; on an idle machine it takes some six."""
LOOK_SECONDS: Final = 0.05
SILENT_SECONDS: Final = 6.0
"""A rank whose heartbeat fails for so long hangs."""
GRACE_SECONDS: Final = 1.0
"""A rank that is gone breaks the others, which may say so first: so long the one that is gone is looked for."""
END_SECONDS: Final = 5.0
END_LOOK_SECONDS: Final = 0.005
LOOPBACKS: Final = ("lo", "lo0")
TORCHRUN: Final = (
    *("-m", "torch.distributed.run", "--standalone"),
    # The machine's own name may mean nothing to itself.
    *("--local-addr", "127.0.0.1"),
)
LOG_NAME: Final = "log"
PREFIX: Final = "dpdash-ddp-"
MOST_FOLDER_BYTES: Final = 103 - len(f"/{PREFIX}12345678/{SOCKET_NAME}")
"""The name of a socket has 103 bytes on macOS and 107 on Linux (unix(7))."""
SHORT_FOLDER: Final = "/tmp"  # noqa: S108  # the folder in it has a random name, and is this user's alone
LOG_CHARACTERS: Final = 10_000


class RankSilentError(Exception):
    """A rank hangs; the text says which."""


class StartFailedError(Exception):
    """The ranks did not come up; the text is what they wrote."""


class NoFolderError(StartFailedError):
    """There is no place for what the processes share; the text says why."""


class Launch:
    """A folder, a socket and the processes of one run; all gone when the context ends."""

    def __init__(self, num_ranks: int, module: str, devices: Sequence[int] | None = None) -> None:
        """Start torchrun; `module` is what each rank runs, on the GPUs that were named if any were.

        Raises:
            NoFolderError: if there is no folder for the socket.
            StartFailedError: if there can be no further process.
        """
        self._num_ranks = num_ranks
        self.ranks: dict[RunSide, int] = {}
        """The rank at the other end of each connection."""
        self._processes: list[psutil.Process] = []
        """Those that have been met: torchrun's death would hide them."""
        key = secrets.token_bytes()
        try:
            with ExitStack() as stack:
                self._folder = Path(stack.enter_context(_folder()))
                ControlWord.create(self._folder / WORD_NAME, num_ranks)
                self._door = stack.enter_context(closing(Door(self._folder, key)))
                self._process = self._start(module, _environment(self._folder, key, devices or ()))
                self._left_over = stack.pop_all()
        except OSError as error:
            raise StartFailedError(str(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end_processes()
        for connection in self.ranks:
            connection.close()
        self._left_over.close()

    def wait_until_connected(self, is_wanted: Callable[[], bool]) -> bool:
        """Wait until every rank is there; whether it was still wanted by then.

        Raises:
            StartFailedError: if they do not come.
        """
        deadline = time.monotonic() + START_SECONDS
        while len(self.ranks) < self._num_ranks:
            if not is_wanted():
                return False
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise StartFailedError(self.log())
            connection = self._door.next(LOOK_SECONDS)
            if connection is not None:
                self._welcome(connection)
        return True

    def connection(self, rank: int) -> RunSide:
        """The connection to a rank."""
        return next(connection for connection, each in self.ranks.items() if each == rank)

    def speaking(self) -> Iterator[RunSide]:
        """The connections of the ranks that have said something, as they do, for as long as that is asked.

        Raises:
            RankSilentError: if one gives no sign of life.
        """
        heard_at = dict.fromkeys(self.ranks, time.monotonic())
        while True:
            speaking = set(wait(list(self.ranks), BEAT_SECONDS))
            now = time.monotonic()
            for connection, rank in self.ranks.items():
                if connection in speaking:
                    heard_at[connection] = now
                elif now - heard_at[connection] > SILENT_SECONDS:
                    raise RankSilentError(f"Rank {rank} gives no sign of life.")
            yield from (connection for connection in self.ranks if connection in speaking)

    def has_lost_one(self) -> bool:
        """Whether a rank is gone, or soon is found to be. What the others say meanwhile is lost."""
        deadline = time.monotonic() + GRACE_SECONDS
        while (seconds := deadline - time.monotonic()) > 0:
            for connection in wait(list(self.ranks), seconds):
                assert isinstance(connection, Connection)
                try:
                    connection.recv()
                except (EOFError, OSError):
                    return True
        return False

    def log(self) -> str:
        """The end of what torchrun and the ranks wrote."""
        text = (self._folder / LOG_NAME).read_text(encoding="utf-8", errors="replace")
        return text[-LOG_CHARACTERS:]

    def end_processes(self) -> None:
        """Kill them all: what they know has been said, and one that hangs would not listen."""
        with suppress(psutil.NoSuchProcess):
            launcher = psutil.Process(self._process.pid)
            # While it stands it cannot start another one.
            launcher.suspend()
            self._processes += [*launcher.children(recursive=True), launcher]
        _kill(self._processes)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _welcome(self, connection: RunSide) -> None:
        try:
            hello = connection.recv()
            assert isinstance(hello, Hello)
            process = psutil.Process(hello.pid)
        except (EOFError, OSError, psutil.NoSuchProcess):
            connection.close()
            raise StartFailedError(self.log()) from None
        self.ranks[connection] = hello.rank
        self._processes.append(process)

    def _start(self, module: str, variables: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        command = [sys.executable, *TORCHRUN, f"--nproc-per-node={self._num_ranks}"]
        with (self._folder / LOG_NAME).open("wb") as log:
            # Standard input is the lifeline: each rank inherits it, and ends at its end.
            return subprocess.Popen(  # noqa: S603  # this very interpreter, with a module of this program
                [*command, f"--log-dir={self._folder}", "-m", module],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=variables,
                # A Ctrl+C is for the run, which stops between two epochs.
                start_new_session=True,
            )


def _folder() -> "tempfile.TemporaryDirectory[str]":
    """A new folder whose name leaves room for a socket: the TMPDIR of a cluster's job may be longer than that."""
    try:
        usual = tempfile.gettempdir()
        folder = usual if len(os.fsencode(usual)) <= MOST_FOLDER_BYTES else SHORT_FOLDER
        return tempfile.TemporaryDirectory(prefix=PREFIX, dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise NoFolderError(str(error)) from error


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + END_SECONDS
    while any(_lives(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(END_LOOK_SECONDS)


def _lives(process: psutil.Process) -> bool:
    """Whether it still does something: a zombie only waits for whoever inherits it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _environment(folder: Path, key: bytes, devices: Sequence[int]) -> dict[str, str]:
    variables = {
        FOLDER_VARIABLE: str(folder),
        KEY_VARIABLE: key.hex(),
        DEVICES_VARIABLE: ",".join(map(str, devices)),
        "OMP_NUM_THREADS": "1",
    }
    names = {name for _index, name in socket.if_nameindex()}
    loopback = next((name for name in LOOPBACKS if name in names), None)
    if loopback is not None:
        # Nothing of it leaves this machine, and Gloo need not find out what the machine is called.
        variables["GLOO_SOCKET_IFNAME"] = loopback
    own = {name: value for name, value in environment().items() if not name.startswith(("PET_", "TORCHELASTIC_"))}
    return own | variables
