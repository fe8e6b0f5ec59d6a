"""The one thread that writes: it gathers what the training threads say and commits it twice a second or more.

When a commit fails, the writer says so, keeps the batch, and tries again with what came meanwhile. What waits
is bounded: a run whose rows no longer fit is cut there, and its later rows are not saved. Of its checkpoints the
newest alone waits, and none where there is no room for it.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from dpdash.core.errors import StoreError
from dpdash.core.events import Checkpoint, EpochBlock, RunEvent
from dpdash.store.errors import newest
from dpdash.store.rows import Cut, Entry, RunCreated, num_bytes

COMMIT_SECONDS: Final = 0.4
LONGEST_RETRY_SECONDS: Final = 2.0
CLOSING_RETRY_SECONDS: Final = 0.1
MAX_PENDING_BYTES: Final = 64 * 2**20
"""About two million epochs: minutes of training at full speed."""
CHECKPOINT_PART: Final = 0.5
"""Of what may wait, checkpoints leave the rest to the rows, which cannot be had again."""

_log = logging.getLogger(__name__)


class Writer:
    """Queue and thread in front of the database; `append` costs a training thread about a microsecond.

    `commit` saves a batch whole or not at all, and raises nothing but `StoreError`.
    """

    def __init__(self, commit: Callable[[list[Entry]], None], max_pending_bytes: int) -> None:
        self._commit = commit
        self._max_pending_bytes = max_pending_bytes
        self._changed = threading.Condition()
        self._pending: list[Entry] = []
        self._checkpoints: dict[str, Entry] = {}
        """The newest of each run, where it waits; it is saved after all the rows that wait."""
        self._without_room: set[str] = set()
        """Runs of which a checkpoint was left out."""
        self._pending_bytes = 0
        self._num_appended = 0
        self._num_committed = 0
        self._cut_at: dict[str, int] = {}
        self._problem: StoreError | None = None
        self._is_idle = False
        self._in_a_hurry = False
        self._is_closing = False
        self._gives_up = False
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> StoreError | None:
        """Why the latest commit failed; None when it succeeded."""
        return self._problem

    def cut_at(self, run_id: str) -> int | None:
        """The last epoch that is saved of a run whose rows no longer fitted; None for a complete one."""
        return self._cut_at.get(run_id)

    def append(self, run_id: str, item: RunEvent | RunCreated) -> None:
        """Queue what a run said."""
        entry = Entry(run_id, item, time.time())
        with self._changed:
            if self._is_closing or (isinstance(item, EpochBlock | Checkpoint) and run_id in self._cut_at):
                return
            if isinstance(item, Checkpoint):
                self._let_newest_wait(entry, item)
                return
            if isinstance(item, EpochBlock) and self._pending_bytes + num_bytes(item) > self._max_pending_bytes:
                self._cut_at[run_id] = item.first_epoch - 1
                entry = Entry(run_id, Cut(), entry.at)
            self._pending.append(entry)
            self._pending_bytes += num_bytes(entry.item)
            self._num_appended += 1
            if self._is_idle:
                self._changed.notify_all()

    def forget_cut(self, run_id: str) -> None:
        """Take in the rows of a run again that was cut: it goes on from an earlier epoch."""
        with self._changed:
            self._cut_at.pop(run_id, None)

    def flush(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until everything queued so far is committed; whether it is."""
        with self._changed:
            target = self._num_appended
            self._in_a_hurry = True
            self._changed.notify_all()
            # What a newer checkpoint has replaced since is not committed any more, and does not count any more.
            return self._changed.wait_for(lambda: self._num_committed >= min(target, self._num_appended), timeout)

    def close(self, timeout: float) -> bool:
        """Take in nothing more, commit what is queued and end the thread; whether all was committed.

        What is not committed after `timeout` seconds is given up.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
            all_saved = self._changed.wait_for(lambda: self._num_committed == self._num_appended, timeout)
            self._gives_up = True
            self._changed.notify_all()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return all_saved

    def _let_newest_wait(self, entry: Entry, checkpoint: Checkpoint) -> None:
        """Let a checkpoint wait in the place of an older one of its run, where there is room for it."""
        run_id, older = entry.run_id, self._checkpoints.get(entry.run_id)
        pending_bytes = self._pending_bytes + num_bytes(checkpoint) - (num_bytes(older.item) if older else 0)
        if pending_bytes > CHECKPOINT_PART * self._max_pending_bytes:
            if run_id not in self._without_room:
                _log.warning("Too much waits for the database: run %s is saved without a new checkpoint.", run_id)
            self._without_room.add(run_id)
            return
        self._checkpoints[run_id] = entry
        self._pending_bytes = pending_bytes
        if older is None:
            self._num_appended += 1
            self._changed.notify_all()

    def _work(self) -> None:
        retry_seconds = COMMIT_SECONDS
        while batch := self._next_batch(retry_seconds):
            try:
                self._commit(batch)
            except StoreError as problem:
                if self._problem is None:
                    _log.warning("Runs are not being saved: %s", problem)
                retry_seconds = min(retry_seconds * 2, LONGEST_RETRY_SECONDS)
                self._put_back(batch, problem)
            else:
                retry_seconds = COMMIT_SECONDS
                self._committed(batch)

    def _next_batch(self, wait_seconds: float) -> list[Entry]:
        """What is queued, `wait_seconds` after its first entry came; empty at the end."""
        with self._changed:
            self._is_idle = True
            self._changed.wait_for(lambda: self._pending or self._checkpoints or self._is_closing)
            self._is_idle = False
            if not self._is_closing:
                self._changed.wait_for(lambda: self._in_a_hurry or self._is_closing, wait_seconds)
            elif self._problem is not None:
                self._changed.wait_for(lambda: self._gives_up, CLOSING_RETRY_SECONDS)
            self._in_a_hurry = False
            if self._gives_up:
                return []
            batch = [*self._pending, *self._checkpoints.values()]
            self._pending, self._checkpoints = [], {}
            return batch

    def _put_back(self, batch: list[Entry], problem: StoreError) -> None:
        with self._changed:
            self._pending[:0] = [entry for entry in batch if not isinstance(entry.item, Checkpoint)]
            for entry in batch:
                if not isinstance(entry.item, Checkpoint):
                    continue
                if self._checkpoints.setdefault(entry.run_id, entry) is not entry:
                    # A newer one has come meanwhile.
                    self._pending_bytes -= num_bytes(entry.item)
                    self._num_appended -= 1
                    self._changed.notify_all()
            self._problem = newest(self._problem, problem)

    def _committed(self, batch: list[Entry]) -> None:
        with self._changed:
            self._pending_bytes -= sum(num_bytes(entry.item) for entry in batch)
            self._num_committed += len(batch)
            self._problem = None
            self._changed.notify_all()
