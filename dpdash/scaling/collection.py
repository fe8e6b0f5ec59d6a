"""The studies of one kind: the one that was started last, and those that are kept."""

from contextlib import suppress
from typing import Final, Generic, TypeVar

from pydantic import BaseModel

from dpdash.core.errors import StoreError
from dpdash.core.scaling.study import AnyStudy
from dpdash.scaling.live import LiveStudy, Snapshot, is_empty
from dpdash.store.plans import Head, Keeper, MeasuredTable

MOST_LISTED: Final = 50

S = TypeVar("S", bound=AnyStudy)
P = TypeVar("P", bound=BaseModel)


class Collection(Generic[S, P]):
    """Finds studies, in memory and in their table; safe for threads."""

    def __init__(self, table: MeasuredTable[S, P]) -> None:
        self._table = table
        self.keeper = Keeper(table)
        self.live: LiveStudy[S] | None = None
        """The one that was started last."""

    @property
    def measuring(self) -> LiveStudy[S] | None:
        """The one that is being measured, if there is one."""
        live = self.live
        return None if live is None or live.snapshot().study.status.is_over else live

    def snapshot(self, study_id: str) -> Snapshot[S] | None:
        """A study at this moment, or as it was kept; None when there is none with this id."""
        shown = self._latest()
        if shown is not None and shown.study.study_id == study_id:
            return shown
        kept = self.keeper.get(study_id)
        if kept is None:
            return None
        if kept.status.is_over:
            return Snapshot(kept, None, is_cancelling=False)
        with suppress(StoreError):
            is_held = self._table.is_held(study_id)
            return Snapshot(kept, None, is_cancelling=False, is_elsewhere=is_held, was_left=not is_held)
        return None

    def heads(self) -> tuple[Head[P], ...]:
        """The latest studies, the newest first; only the one in memory when the database cannot be read."""
        shown = self._latest()
        return self.keeper.latest(() if shown is None else (shown.study,), MOST_LISTED)

    def _latest(self) -> Snapshot[S] | None:
        """The study that was started last, unless it was cancelled before anything came of it."""
        live = self.live
        shown = None if live is None else live.snapshot()
        return None if shown is None or is_empty(shown.study) else shown
