"""An object of which only the outline is fetched: its payload reads as zeros."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidinfer.storage.reader import RangeReader

__all__ = ["OutlineReader"]


class OutlineReader(io.RawIOBase):
    """Reads an object by ranges, but for spans that are veiled: those cost nothing.

    Thread rule: one thread at a time.
    """

    def __init__(self, reader: RangeReader) -> None:
        """Everything is as it is, until something is veiled; ``reader`` is closed with this one."""
        super().__init__()
        self._reader = reader
        self._veiled: Sequence[tuple[int, int]] = ()

    @property
    def size(self) -> int:
        """Bytes of the object."""
        return self._reader.size

    def veil(self, spans: Sequence[tuple[int, int]]) -> None:
        """From now on the bytes from the first of each span up to its second read as zeros."""
        self._veiled = spans

    def unveiled(self, offset: int, size: int) -> bytes:
        """Bytes as they are, wherever they lie.

        Raises:
            SourceError, Interrupted: as ``RangeReader.read``.
        """
        at = self._reader.tell()
        try:
            self._reader.seek(offset)
            return self._reader.read(size)
        finally:
            self._reader.seek(at)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._reader.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of files."""
        return self._reader.seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes; fewer at the end of a veiled span, or of the object.

        Raises:
            SourceError, Interrupted: as ``RangeReader.read``.
        """
        at = self._reader.tell()
        span = next((span for span in self._veiled if span[0] <= at < span[1]), None)
        if span is None:
            return self._reader.read(size)
        left = span[1] - at
        count = left if size is None or size < 0 else min(size, left)
        self._reader.seek(at + count)
        return bytes(count)

    def readinto(self, buffer: Any, /) -> int:
        """As of files."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Let the object go. Idempotent."""
        self._reader.close()
        super().close()
