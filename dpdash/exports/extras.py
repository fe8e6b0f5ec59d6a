"""The libraries that only some exports need, and what to say where they are missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

from dpdash.errors import N_, RunFileError

EXTRAS_FILE: Final = "requirements-extras.txt"
MISSING: Final = N_(
    "This export needs {library}, which is not installed. Install it: python -m pip install -r {file}"
)


def is_installed(library: str) -> bool:
    """Whether a library can be imported; it is not imported for that."""
    return find_spec(library) is not None


@contextmanager
def needing(library: str) -> Iterator[None]:
    """Import a library inside.

    Raises:
        RunFileError: with what to install where it is missing.
    """
    try:
        yield
    except ImportError:
        raise RunFileError(MISSING, library=library, file=EXTRAS_FILE) from None
