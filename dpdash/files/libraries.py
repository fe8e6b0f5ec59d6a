"""What to say where a library is missing that only some exports need."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dpdash.core.errors import N_, RunFileError
from dpdash.core.extras import EXTRAS_FILE

MISSING: Final = N_(
    "This export needs {library}, which is not installed. Install it: python -m pip install -r {file}"
)


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
