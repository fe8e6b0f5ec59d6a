"""The end of the server: a few seconds after the signal it is gone, whatever hangs, and its runs are saved."""

import asyncio
import faulthandler
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

Handler = Callable[[int, FrameType | None], object]
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
STANDARD_ERROR: Final = 2


class Ending:
    """Saves at the first signal, while the server still waits for its connections to close.

    That may take for ever: a phone that sleeps does not answer. And what trains may hang for ever, too.
    """

    def __init__(self, shut_down: Callable[[], None], longest_seconds: float) -> None:
        """`shut_down` saves; the process is ended for good `longest_seconds` after the signal."""
        self._shut_down = shut_down
        self._longest_seconds = longest_seconds
        self._loop = asyncio.get_running_loop()
        self._saving: asyncio.Task[None] | None = None
        self._is_limited = False

    def watch_signals(self) -> None:
        """Begin to end at a signal, besides what it does already; only the main thread can be signalled."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            before = signal.getsignal(number)
            if callable(before):
                signal.signal(number, self._handler(before))

    async def finish(self) -> None:
        """Wait until everything is saved; begins with it unless a signal has."""
        self._begin()
        assert self._saving is not None
        await self._saving

    def _handler(self, before: Handler) -> Handler:
        def end(number: int, frame: FrameType | None) -> None:
            before(number, frame)
            # This handler runs between any two lines of the main thread, which may hold a lock.
            self._loop.call_soon_threadsafe(self._begin)
            if self._is_limited:
                return
            self._is_limited = True
            # Not a thread of Python's: it works even if one that hangs lets no other run, and says where it hangs.
            faulthandler.dump_traceback_later(self._longest_seconds, exit=True, file=STANDARD_ERROR)

        return end

    def _begin(self) -> None:
        if self._saving is None:
            self._saving = self._loop.create_task(asyncio.to_thread(self._shut_down))
