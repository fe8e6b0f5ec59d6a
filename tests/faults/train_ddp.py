"""A process that trains with DDP until it is killed, in processes of its own or in a training process."""

import sys

from dpdash.core.config import EngineName
from dpdash.core.events import EpochBlock, RunEvent
from dpdash.training.control import RunControl
from dpdash.training.ddp.engine import Ddp
from dpdash.training.engine import Engine
from dpdash.training.processes.pool import TrainingProcesses
from tests.contract.training import ENDLESS, WAIT_SECONDS, config_for


def main() -> None:
    """Train, and say so on standard output once it does."""
    engine: Engine = Ddp()
    if "outside" in sys.argv:
        processes = TrainingProcesses(1)
        processes.start()
        processes.wait_until_ready(WAIT_SECONDS)
        engine = processes.outside(engine)
    engine.run(config_for(EngineName.DDP, epochs=ENDLESS), _tell, RunControl())


def _tell(event: RunEvent) -> None:
    if isinstance(event, EpochBlock) and event.first_epoch == 1:
        sys.stdout.write("trains\n")
        sys.stdout.flush()
