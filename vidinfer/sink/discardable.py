"""A file whose later content can be declared worthless, for libraries that insist on finishing what they write."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Discardable", "Writable"]


class Writable(Protocol):
    """What takes bytes."""

    def write(self, data: Any, /) -> int:
        """How many it took."""
        ...


class Discardable:
    """Passes writes on until ``discard``. The file stays its owner's: it is neither flushed nor closed here."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self._worthless = False
        self.closed = False

    def write(self, data: Any) -> int:
        """Bytes taken: all of them."""
        size = memoryview(data).nbytes
        if not self._worthless:
            self._file.write(data)
        return size

    def flush(self) -> None:
        """Nothing: whoever owns the file flushes it."""

    def close(self) -> None:
        """The file stays open: it is not ours."""

    def discard(self) -> None:
        """From now on writes go nowhere."""
        self._worthless = True
