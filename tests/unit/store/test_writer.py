"""The one thread that writes: what waits, what is put back, and when everything is saved."""

import threading

from dpdash.core.errors import StoreError
from dpdash.core.events import Checkpoint
from dpdash.store.rows import Entry
from dpdash.store.writer import Writer

LONG = 10.0


def checkpoint(epoch: int) -> Checkpoint:
    return Checkpoint(epoch, seconds=float(epoch), state=bytes(epoch))


class Commits:
    """Commits of which the first fails, once it is let."""

    def __init__(self) -> None:
        self.has_begun, self.may_fail = threading.Event(), threading.Event()
        self.saved: list[object] = []
        self._is_first = True

    def __call__(self, batch: list[Entry]) -> None:
        if self._is_first:
            self._is_first = False
            self.has_begun.set()
            assert self.may_fail.wait(LONG)
            raise StoreError("The disk is busy.")
        self.saved += [entry.item for entry in batch]


def test_after_a_commit_that_failed_the_newer_checkpoint_is_saved_and_nobody_waits_for_the_older() -> None:
    commits = Commits()
    writer = Writer(commits, max_pending_bytes=10**6)
    older, newer = checkpoint(1), checkpoint(2)
    writer.append("run", older)
    assert commits.has_begun.wait(LONG)
    writer.append("run", newer)
    flushed: list[bool] = []
    flushing = threading.Thread(target=lambda: flushed.append(writer.flush(LONG)))
    flushing.start()
    commits.may_fail.set()
    flushing.join(LONG)
    assert flushed == [True], "it waited for what is not there any more"
    assert commits.saved == [newer]
    assert writer.close(LONG)
