"""A file that a library writes into, and from which what it has written is taken piece by piece."""

import io
from typing import Any


class Outbox(io.RawIOBase):
    """Keeps what was written until it is taken, and no longer: memory does not grow with the file."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any, /) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def take(self) -> bytes:
        """What was written since the last call."""
        taken, self._parts = b"".join(self._parts), []
        return taken
