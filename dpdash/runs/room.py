"""What a teacher decides for everybody: whether new runs may start, which run all see, and when all begin anew."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from dpdash.core.errors import N_, FrozenError
from dpdash.runs.listeners import Listeners
from dpdash.runs.snapshot import RunSnapshot

FROZEN: Final = N_("The teacher has paused new runs on this server. Wait until they are allowed again.")


@dataclass(frozen=True)
class RoomSnapshot:
    """Everybody's pages and runs at one moment."""

    is_frozen: bool
    """Whether new runs are refused."""
    spotlight: str | None
    """Id of the run that every page shows."""
    generation: int
    """How often the room was cleared; a page that remembers a lower number goes back to the preview."""
    num_pages: int
    num_browsers: int
    refresh_seconds: float
    """Seconds between two updates of a live page."""
    runs: tuple[RunSnapshot, ...]
    """Those that wait, train or stand paused, in the order of their starts."""


class Room:
    """The teacher's decisions; safe for threads, and each may be made again without harm.

    The properties are read at every refresh of every page, without a lock.
    """

    def __init__(self, listeners: Listeners) -> None:
        self._lock = threading.Lock()
        self._is_frozen = False
        self._spotlight: str | None = None
        self._generation = 0
        self._listeners = listeners

    @property
    def is_frozen(self) -> bool:
        return self._is_frozen

    @property
    def spotlight(self) -> str | None:
        return self._spotlight

    @property
    def generation(self) -> int:
        return self._generation

    @contextmanager
    def admitting(self) -> Iterator[None]:
        """Take a run in: whoever freezes the room meanwhile waits, so that no run slips in behind a freeze.

        Raises:
            FrozenError: when new runs are refused.
        """
        with self._lock:
            if self._is_frozen:
                raise FrozenError(FROZEN)
            yield

    def freeze(self, frozen: bool) -> None:
        """Refuse new runs, or allow them again."""
        with self._lock:
            is_new = self._is_frozen is not frozen
            self._is_frozen = frozen
        if is_new:
            self._listeners.tell(None)

    def put_in_spotlight(self, run_id: str | None) -> None:
        """Show a run on every page, or none."""
        with self._lock:
            is_new = self._spotlight != run_id
            self._spotlight = run_id
        if is_new:
            self._listeners.tell(None)

    def clear(self, stop_all: Callable[[], object]) -> None:
        """Begin a new generation without a spotlight; no run starts while those of the old one are stopped."""
        with self._lock:
            stop_all()
            self._spotlight = None
            self._generation += 1
        self._listeners.tell(None)
