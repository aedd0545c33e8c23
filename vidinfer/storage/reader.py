"""A seekable file over an object store: ranges on demand, a bounded cache, and the next range on its way already."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vidinfer.errors import SourceError
from vidinfer.storage.ranges import begin_range
from vidinfer.storage.remote import LONGEST, ask, filesystem, waited

if TYPE_CHECKING:
    from vidinfer.storage.remote import RemoteFile

__all__ = ["RangeReader"]

BLOCK = 128 * 1024
"""Bytes of a block; ranges begin and end at its borders."""
MOST_BLOCKS = 32
"""Blocks in one range, 4 MiB: what is read from front to back soon gets there, by doubling."""
KEPT = 4 * MOST_BLOCKS
"""Blocks in memory, 16 MiB; those that were not used for longest give way."""


class RangeReader(io.RawIOBase):
    """Reads one object by ranges. What is in memory is bounded, whatever the size of the object.

    A read behind the last one makes the next range larger and begins the one after it, where the client of the store
    can do that beside others; a jump makes it small again. Every range must be of the same version of the object,
    where the store can be told so (S3); elsewhere a shorter answer than asked for is an error.

    Thread rule: one thread at a time.
    """

    def __init__(self, file: RemoteFile, stopped: Callable[[], bool] | None = None) -> None:
        """Ask nothing yet but the size.

        Args:
            file: what to read.
            stopped: looked at while waiting; true ends the wait.

        Raises:
            SourceError: it is not there, may not be read, or the store does not answer.
        """
        super().__init__()
        self._file, self._stopped = file, stopped
        self._fs, self._path = filesystem(file.url)
        stat = file.stat(stopped)
        self.size, self._tag = stat.st_size, stat.tag
        self.name = file.name
        self.fetched = 0
        """Bytes that came from the store."""
        self._at = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._run = 1
        self._next = 0
        self._ahead: tuple[int, int, Any] | None = None
        """First block, how many, and the call: what was begun before it was needed."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of files; positions behind the end are allowed."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative position: {base + offset}")
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes; fewer only at the end of the object.

        Raises:
            SourceError: the object vanished or changed, or the store does not answer.
            Interrupted: stopped.
        """
        left = max(0, self.size - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        pieces = []
        while wanted > 0:
            number, inside = divmod(self._at, BLOCK)
            piece = self._block(number)[inside : inside + wanted]
            pieces.append(piece)
            self._at += len(piece)
            wanted -= len(piece)
        return b"".join(pieces)

    def readinto(self, buffer: Any, /) -> int:
        """As of files."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Call off what is on its way, and let the memory go. Idempotent."""
        if self._ahead is not None:
            self._ahead[2].cancel()
            self._ahead = None
        self._blocks.clear()
        super().close()

    def _block(self, number: int) -> bytes:
        if self.closed:
            raise ValueError(f"{self._file}: read after it was closed")
        found = self._blocks.get(number)
        if found is not None:
            self._blocks.move_to_end(number)
            return found
        self._fetch(number)
        return self._blocks[number]

    def _fetch(self, number: int) -> None:
        """Bring in the range that begins with block ``number``, and begin the next one."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and not ahead[0] <= number < ahead[0] + ahead[1]:
            ahead[2].cancel()
            ahead = None
        if ahead is not None:
            first, count, call = ahead
            data = waited(self._file.url, call, LONGEST, self._stopped)
        else:
            self._run = min(2 * self._run, MOST_BLOCKS) if number == self._next else 1
            first, count = number, self._fitting(number, self._run)
            data = self._ask(first, count)
        self._keep(first, count, data)
        self._next = first + count
        if self._run > 1:
            self._run = min(2 * self._run, MOST_BLOCKS)
            self._begin(self._next)

    def _fitting(self, number: int, count: int) -> int:
        return min(count, -(-self.size // BLOCK) - number)

    def _begin(self, number: int) -> None:
        count = self._fitting(number, self._run)
        if count > 0 and number not in self._blocks and (call := self._call(number, count)) is not None:
            self._ahead = (number, count, call)

    def _ask(self, number: int, count: int) -> bytes:
        url, stopped = self._file.url, self._stopped
        call = self._call(number, count)
        if call is not None:
            data: bytes = waited(url, call, LONGEST, stopped)
        else:
            start, end = self._span(number, count)
            data = ask(url, self._fs, "cat_file", self._path, start=start, end=end)
        return data

    def _call(self, number: int, count: int) -> Any:
        """Ask for a range; ``None`` where the store's client can only be waited for."""
        return begin_range(self._fs, self._path, *self._span(number, count), self._tag)

    def _span(self, number: int, count: int) -> tuple[int, int]:
        start = number * BLOCK
        return start, min(start + count * BLOCK, self.size)

    def _keep(self, first: int, count: int, data: bytes) -> None:
        expected = min((first + count) * BLOCK, self.size) - first * BLOCK
        if len(data) != expected:
            raise SourceError(
                f"{self._file}: {len(data)} bytes came where {expected} were asked for: it changed while it was "
                "read; run again once nobody writes to it"
            )
        self.fetched += len(data)
        view = memoryview(data)
        for i in range(count):
            self._blocks[first + i] = bytes(view[i * BLOCK : (i + 1) * BLOCK])
            self._blocks.move_to_end(first + i)
        while len(self._blocks) > KEPT:
            self._blocks.popitem(last=False)
