"""The libraries that only some of what dpdash does needs."""

from importlib.util import find_spec
from typing import Final

EXTRAS_FILE: Final = "requirements-extras.txt"


def is_installed(library: str) -> bool:
    """Whether a library can be imported; it is not imported for that."""
    return find_spec(library) is not None
