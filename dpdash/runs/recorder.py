"""What an engine says goes to the live history and to the store."""

from collections.abc import Callable

from dpdash.core.events import RunEvent, RunStatus, status_after
from dpdash.core.history import History
from dpdash.store.absent import Store


class Recorder:
    """Records one run; `on_status` is called with each new status, in the thread that emitted."""

    def __init__(
        self,
        run_id: str,
        history: History,
        store: Store,
        on_status: Callable[[RunStatus], None] | None = None,
    ) -> None:
        self.history = history
        self._run_id = run_id
        self._store = store
        self._on_status = on_status
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether the run's terminal event was recorded."""
        return self._is_over

    def emit(self, event: RunEvent) -> None:
        """Record the run's next event; whatever comes after its terminal one is ignored."""
        if self._is_over:
            return
        status = status_after(event)
        self._is_over = status is not None and status.is_over
        self.history.fold(event)
        self._store.append(self._run_id, event)
        if status is not None and self._on_status is not None:
            self._on_status(status)
