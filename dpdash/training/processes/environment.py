"""How a process that trains finds this very program, wherever the server was started."""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]


def environment() -> dict[str, str]:
    """This process's environment variables, with this program where Python looks for modules."""
    folders = (str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
