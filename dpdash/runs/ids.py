"""What a run's id looks like, and what to say where no run has it."""

import re
import secrets
import string
from typing import Final

from dpdash.core.errors import N_, UnknownRunError
from dpdash.core.validation import MAX_RECEIVED_LENGTH, shown

NUM_CHARACTERS: Final = 12

# Without "-" and "_": an id that began with "-" would be taken for an option of the command line.
_ALPHABET: Final = string.ascii_letters + string.digits

_ID: Final = re.compile(rf"[\w-]{{1,{MAX_RECEIVED_LENGTH}}}", re.ASCII)


def new_run_id() -> str:
    """An id that nobody can guess and that needs no escaping in an address."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(NUM_CHARACTERS))


def require_possible(run_id: str) -> None:
    """Let nothing near the database that cannot be an id: a link, or whoever forges one, brings any text at all.

    Raises:
        UnknownRunError: when no run can have this id.
    """
    if not _ID.fullmatch(run_id):
        raise unknown_run(run_id)


def unknown_run(run_id: str) -> UnknownRunError:
    """The error for an id that no run has, short and printable whatever the id is."""
    return UnknownRunError(
        N_("There is no run {run_id} here, perhaps because it was never saved. Press Start for a new one."),
        run_id=shown(run_id),
    )
