"""Who is told that pages have to be drawn anew."""

import logging
import threading
from collections.abc import Callable

Listener = Callable[[str | None], None]
"""Takes the id of the run that has changed, or None where all that everybody sees has."""

_log = logging.getLogger(__name__)


class Listeners:
    """Told of changes in the thread that makes them; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()

    def add(self, listener: Listener) -> None:
        """Tell this one too, from now on; it may ask the service anything, and what it raises ends nothing."""
        with self._lock:
            self._listeners += (listener,)

    def tell(self, run_id: str | None) -> None:
        """Say that a run has changed, or with None that everything has."""
        for listener in self._listeners:
            try:
                listener(run_id)
            except Exception:
                _log.exception("A page could not be told of a change")
