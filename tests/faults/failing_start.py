"""Run as a module: a rank of DDP whose first starts fail, as many as an environment variable says."""

import os
from pathlib import Path

from dpdash.training.ddp import worker as ddp_worker
from dpdash.training.ddp.channel import FOLDER_VARIABLE

if __name__ == "__main__":
    # Each attempt has a folder of its own.
    marks = Path(os.environ["FAILING_START_MARKS"])
    (marks / Path(os.environ[FOLDER_VARIABLE]).name).touch()
    if len(list(marks.iterdir())) <= int(os.environ["FAILING_STARTS"]):
        raise SystemExit("this start fails")
    ddp_worker.main()
