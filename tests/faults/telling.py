"""An engine that says on a named pipe what it has trained; run as a module, a training process that has it."""

import os
import threading
import time
from unittest import mock

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import Checkpoint, EpochBlock, RunEvent
from dpdash.training import catalog
from dpdash.training.control import RunControl
from dpdash.training.engine import Availability, Emit, Engine
from dpdash.training.processes import worker as training_process
from tests.faults.witness import HANGING, HANGS, HANGS_AT_EPOCH, PIPE, SEEDS


class Telling:
    """An engine whose runs write a line (seed, epoch, seconds of the system's steady clock) after each block."""

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self._engine = engine
        self._pipe = os.open(os.environ[PIPE], os.O_WRONLY)
        self._hanging_seed = HANGING if HANGS in os.environ else None

    def availability(self, config: RunConfig) -> Availability:
        return self._engine.availability(config)

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        def tell(event: RunEvent) -> None:
            emit(event)
            if isinstance(event, EpochBlock) and config.seed in SEEDS:
                os.write(self._pipe, f"{config.seed} {event.last_epoch} {time.monotonic()}\n".encode())
                if config.seed == self._hanging_seed and event.last_epoch >= HANGS_AT_EPOCH:
                    threading.Event().wait()

        self._engine.run(config, tell, control, start)


def let_runs_tell() -> None:
    """Give this process's catalogue the telling engine."""
    telling = Telling(catalog.engine(EngineName.SINGLE))
    mock.patch.object(catalog, "ENGINES", {**catalog.ENGINES, EngineName.SINGLE: telling}).start()


if __name__ == "__main__":
    let_runs_tell()
    training_process.main()
