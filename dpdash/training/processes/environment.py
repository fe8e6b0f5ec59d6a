"""How a process that trains finds this very program, wherever the server was started."""

import os

from dpdash.core.places import PACKAGE


def environment() -> dict[str, str]:
    """This process's environment variables, with this program where Python looks for modules."""
    folders = (str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
