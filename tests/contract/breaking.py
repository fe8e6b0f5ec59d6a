"""Run as a module: a training process whose engine breaks after a few epochs, and does not say so."""

from unittest import mock

import torch

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import Checkpoint
from dpdash.training import catalog
from dpdash.training.control import RunControl
from dpdash.training.engine import Emit
from dpdash.training.processes import worker as training_process
from tests.fakes import FakeEngine


class BreakingEngine(FakeEngine):
    """Tells, with what breaks it, how many threads an operation has where it trains."""

    def run(self, config: RunConfig, emit: Emit, control: RunControl, start: Checkpoint | None = None) -> None:
        self._failure = LookupError(f"broken, threads: {torch.get_num_threads()}")
        super().run(config, emit, control, start)


if __name__ == "__main__":
    breaking = BreakingEngine()
    breaking.gate.set()
    mock.patch.object(catalog, "ENGINES", {EngineName.SINGLE: breaking}).start()
    training_process.main()
