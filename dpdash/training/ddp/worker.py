"""A rank of DDP, as torchrun starts it: `-m dpdash.training.ddp.worker`.

It lives as long as the run's process holds the other end of its standard input. torchrun's own signals would not
do: it gives each rank a session of its own, and a run's process that is killed sends none.
"""

import importlib
import os
import shutil
import threading
from typing import Final

from dpdash.training.ddp.channel import FOLDER_VARIABLE

STANDARD_INPUT: Final = 0


def main() -> None:
    """Train or measure until the run's process hangs up."""
    threading.Thread(target=_end_with_input, name="lifeline", daemon=True).start()
    # Only now, because importing torch takes seconds in which the run's process may die.
    importlib.import_module("dpdash.training.ddp.rank").work_as_rank()


def _end_with_input() -> None:
    while os.read(STANDARD_INPUT, 1):
        pass
    shutil.rmtree(os.environ[FOLDER_VARIABLE], ignore_errors=True)  # nobody else is left who would
    os._exit(0)  # nothing that trains, or waits for another rank, may hold it up


if __name__ == "__main__":
    main()
