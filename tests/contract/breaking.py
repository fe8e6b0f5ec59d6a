"""Run as a module: a training process whose engine breaks after a few epochs, and does not say so."""

from unittest import mock

from dpdash.config import EngineName
from dpdash.engines import catalog, training_process
from tests.fakes import FakeEngine

if __name__ == "__main__":
    breaking = FakeEngine(LookupError("broken"))
    breaking.gate.set()
    mock.patch.object(catalog, "ENGINES", {EngineName.SINGLE: breaking}).start()
    training_process.main()
