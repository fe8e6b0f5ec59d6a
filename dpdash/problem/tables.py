"""Own data of this process, by digest: the one place where a reference becomes numbers.

A process that keeps runs says where else to look; one that trains for another is given what it needs.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_
from dpdash.core.own_data import OwnData, OwnDataError, Table

MOST_ROWS_KEPT: Final = 4_000_000
"""Of all tables in memory, 16 bytes each; the one that was used last is kept whatever its size."""
Find = Callable[[str], Table | None]

MISSING: Final = N_("The own data {name} is not on this server any more. Bring the file in again.")

_lock = threading.Lock()
_kept: OrderedDict[str, Table] = OrderedDict()
_finders: list[Find] = []


def keep(table: Table) -> None:
    """Keep a table at hand until others that are used later need its room."""
    with _lock:
        _kept[table.digest] = table
        _kept.move_to_end(table.digest)
        while len(_kept) > 1 and sum(map(len, _kept.values())) > MOST_ROWS_KEPT:
            _kept.popitem(last=False)


def look_in(find: Find) -> None:
    """Look there too for what is not at hand."""
    _finders.append(find)


def look_no_more_in(find: Find) -> None:
    """Do not look there any more."""
    if find in _finders:
        _finders.remove(find)


def table(data: OwnData) -> Table:
    """The table that is meant, as it was brought.

    Raises:
        OwnDataError: when it is not there.
    """
    with _lock:
        found = _kept.get(data.digest)
    if found is None:
        found = next(filter(None, (find(data.digest) for find in tuple(_finders))), None)
    if found is None:
        raise OwnDataError(MISSING, name=data.name)
    keep(found)
    return found


def trained(data: OwnData) -> Table:
    """The table that a run trains on: standardised where its settings say so.

    Raises:
        OwnDataError: when it is not there.
    """
    return table(data).standardised() if data.is_standardised else table(data)


def of(config: RunConfig) -> Table | None:
    """What another process needs to train a config; None where it draws all by itself."""
    return None if config.data is None else table(config.data)
