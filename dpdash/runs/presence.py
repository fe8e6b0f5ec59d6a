"""Which browsers are here: decisions only; the caller brings the clock."""


class Presence:
    """Counts each browser's open pages and remembers since when it has none.

    A browser that never opened a page, such as a command line, is not watched. Not safe for threads.
    """

    def __init__(self, grace_seconds: float) -> None:
        self._grace_seconds = grace_seconds
        self._num_pages: dict[str, int] = {}
        self._gone_since: dict[str, float] = {}

    @property
    def num_pages(self) -> int:
        """Pages that are open in all browsers."""
        return sum(self._num_pages.values())

    @property
    def num_browsers(self) -> int:
        """Browsers with an open page."""
        return len(self._num_pages)

    def opened(self, owner: str) -> None:
        self._num_pages[owner] = self._num_pages.get(owner, 0) + 1
        self._gone_since.pop(owner, None)

    def closed(self, owner: str, now: float) -> None:
        """One page less; `now` is in seconds of a clock that never jumps."""
        self._num_pages[owner] = max(0, self._num_pages.get(owner, 0) - 1)
        if not self._num_pages[owner]:
            del self._num_pages[owner]
            self._gone_since.setdefault(owner, now)

    def seen(self, owner: str, now: float) -> None:
        """A browser that steers a run is there, whatever its connections said."""
        if owner in self._gone_since:
            self._gone_since[owner] = now

    def take_abandoned(self, now: float) -> tuple[str, ...]:
        """The browsers that are gone for longer than the grace period, each of them once."""
        abandoned = tuple(owner for owner, since in self._gone_since.items() if now - since >= self._grace_seconds)
        for owner in abandoned:
            del self._gone_since[owner]
        return abandoned
