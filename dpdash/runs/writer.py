"""The one thread that writes: it gathers what the training threads say and commits it twice a second or more.

When a commit fails, the writer says so, keeps the batch, and tries again with what came meanwhile. What waits
is bounded: a run whose rows no longer fit is cut there, and its later rows are not saved.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from dpdash.errors import StoreError
from dpdash.events import EpochBlock, RunEvent
from dpdash.runs.encoding import Cut, Entry, RunCreated, num_bytes
from dpdash.runs.problems import newest

COMMIT_SECONDS: Final = 0.4
LONGEST_RETRY_SECONDS: Final = 2.0
CLOSING_RETRY_SECONDS: Final = 0.1
MAX_PENDING_BYTES: Final = 64 * 2**20
"""About two million epochs: minutes of training at full speed."""

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
            if self._is_closing or (isinstance(item, EpochBlock) and run_id in self._cut_at):
                return
            if isinstance(item, EpochBlock) and self._pending_bytes + num_bytes(item) > self._max_pending_bytes:
                self._cut_at[run_id] = item.first_epoch - 1
                entry = Entry(run_id, Cut(), entry.at)
            self._pending.append(entry)
            self._pending_bytes += num_bytes(entry.item)
            self._num_appended += 1
            if self._is_idle:
                self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until everything queued so far is committed; whether it is."""
        with self._changed:
            target = self._num_appended
            self._in_a_hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._num_committed >= target, timeout)

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
            self._changed.wait_for(lambda: self._pending or self._is_closing)
            self._is_idle = False
            if not self._is_closing:
                self._changed.wait_for(lambda: self._in_a_hurry or self._is_closing, wait_seconds)
            elif self._problem is not None:
                self._changed.wait_for(lambda: self._gives_up, CLOSING_RETRY_SECONDS)
            self._in_a_hurry = False
            if self._gives_up:
                return []
            batch, self._pending = self._pending, []
            return batch

    def _put_back(self, batch: list[Entry], problem: StoreError) -> None:
        with self._changed:
            self._pending[:0] = batch
            self._problem = newest(self._problem, problem)

    def _committed(self, batch: list[Entry]) -> None:
        with self._changed:
            self._pending_bytes -= sum(num_bytes(entry.item) for entry in batch)
            self._num_committed += len(batch)
            self._problem = None
            self._changed.notify_all()
