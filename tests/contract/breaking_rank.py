"""Run as a module: a rank of DDP whose model breaks, with the error that an environment variable holds."""

import os
import pickle

from dpdash.training.ddp import worker as ddp_worker
from tests.contract.breaking_model import ERROR_VARIABLE, breaking_model

if __name__ == "__main__":
    with breaking_model(pickle.loads(bytes.fromhex(os.environ[ERROR_VARIABLE]))):
        ddp_worker.main()
