"""The real app on a free port, as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel

from dpdash.store.plans import PlanTable
from dpdash.store.store import RunStore

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app.py"
START_SECONDS = 60
STOP_SECONDS = 15
LEAN: Final = {"DPDASH_TRAINING_PROCESSES": "1"}
"""Enough for a page or two; each process that trains takes seconds of a core to start."""

BASE_PATH: Final = "STREAMLIT_SERVER_BASE_URL_PATH"

T = TypeVar("T")
P = TypeVar("P", bound=BaseModel)


@dataclass(frozen=True)
class Server:
    """A running dashboard."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    database: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_server(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start the dashboard with its data in `folder`, and end it at the end."""
    server = start_server(folder, environment)
    try:
        yield server
    finally:
        stop_server(server)


def start_server(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    app: Path = APP,
    inside: Sequence[str] = (),
) -> Server:
    """Start an app with its data in `folder`; `inside` is a command that runs the server's in its place."""
    port = free_port()
    database, log = folder / "runs.db", folder / "server.log"
    command = [*inside, sys.executable, "-m", "streamlit", "run", str(app), "--server.headless=true"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, f"--server.port={port}"],
            cwd=ROOT,
            env={**os.environ, "DPDASH_DATABASE_URL": f"sqlite:///{database}", **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    base = (environment or {}).get(BASE_PATH, "")
    server = Server(f"http://127.0.0.1:{port}{base}", process, log, database)
    _wait_until_healthy(server)
    return server


def _wait_until_healthy(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{server.log.read_text()}")


def stop_server(server: Server) -> None:
    """End the server as an operating system would: politely first."""
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGTERM)
        try:
            server.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()


def newest(database: Path, table: Callable[[RunStore], PlanTable[T, P]]) -> T:
    """The study or the sweep that was saved last."""
    store = RunStore(f"sqlite:///{database}")
    try:
        plans = table(store)
        value = plans.get(plans.heads(1)[0].value_id)
        assert value is not None
        return value
    finally:
        store.close()
