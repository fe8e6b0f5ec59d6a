"""Copies of a command's process, in which its trials train: they train as it would, and end with it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import pytest

from dpdash.core.config import RunConfig
from dpdash.core.events import EpochBlock, RunEvent
from dpdash.training.catalog import require
from dpdash.training.control import RunControl
from tests.fakes import eventually

CONFIG = RunConfig(samples=1000, epochs=40)
COMMAND = """
import json, sys
from dpdash.core.config import RunConfig
from dpdash.core.events import EpochBlock
from dpdash.training.catalog import require
from dpdash.training.control import RunControl
from dpdash.training.processes.pool import TrainingProcesses

processes = TrainingProcesses(2)
processes.copy()
processes.wait_until_ready(60)
config = RunConfig.model_validate_json(sys.argv[1])
losses = []
emit = lambda event: losses.extend(event.loss.tolist()) if isinstance(event, EpochBlock) else None
processes.outside(require(config)).run(config, emit, RunControl())
print(json.dumps({"pids": [process.pid for process in processes.ready], "losses": losses}), flush=True)
sys.stdin.read()
processes.close()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are not copied")


@dataclass(frozen=True)
class Copied:
    """A command with two copies of itself, in one of which it has trained."""

    process: "subprocess.Popen[str]"
    pids: tuple[int, ...]
    losses: tuple[float, ...]


@contextmanager
def copied() -> Iterator[Copied]:
    command = [sys.executable, "-c", COMMAND, CONFIG.model_dump_json()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Copied(process, tuple(told["pids"]), tuple(told["losses"]))


def are_gone(pids: tuple[int, ...]) -> bool:
    alive = {process.pid for process in psutil.process_iter(["status"]) if process.info["status"] != "zombie"}
    return alive.isdisjoint(pids)


def test_copies_train_as_this_process_does_and_end_with_the_command() -> None:
    losses: list[float] = []

    def hear(event: RunEvent) -> None:
        if isinstance(event, EpochBlock):
            losses.extend(event.loss.tolist())

    require(CONFIG).run(CONFIG, hear, RunControl())
    with copied() as command:
        assert len(set(command.pids)) == 2
        assert not are_gone(command.pids)
        assert command.losses == tuple(losses)
        command.process.communicate("")
        assert command.process.returncode == 0
        assert are_gone(command.pids)


def test_copies_end_when_the_command_is_killed() -> None:
    with copied() as command:
        command.process.kill()
        eventually(lambda: are_gone(command.pids))
