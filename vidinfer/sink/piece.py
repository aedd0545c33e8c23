"""One file of a live stream while it grows: of use to readers at every moment, kept whatever happens."""

from __future__ import annotations

import os
from pathlib import Path

from vidinfer.sink.atomic import output_error, sync_folder, try_lock

__all__ = ["Piece"]


class Piece:
    """A file under a temporary name, locked, which nothing but ``remove`` ever takes away again.

    Write with ``append``, or have a library write to ``path`` (it may truncate it, but must not replace it).

    Thread rule: one thread at a time.
    """

    def __init__(self, path: Path, final: Path) -> None:
        """Create ``path``, which is called ``final`` one day.

        Raises:
            FileExistsError: somebody has that name.
            OSError: not writable.
        """
        self.path, self.final = path, final
        self.size = 0
        """Bytes that ``append`` wrote."""
        self.torn = False
        """A write failed and could not be undone: nothing can be appended."""
        self._descriptor = os.open(
            path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666
        )
        try_lock(self._descriptor)

    def append(self, data: bytes) -> None:
        """Hand ``data`` to the system, all of it or nothing.

        Raises:
            SinkError: disk full, …; the file is as it was before, and can be written again, unless ``torn``.
        """
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self._undo()
            raise output_error(self.final, error) from error
        self.size += len(data)

    def finish(self, final: Path, *, durable: bool) -> None:
        """Give the file the name ``final``, its last; ``durable``: once the disk has it.

        Raises:
            SinkError: the disk fails, …; ``release`` must follow.
        """
        try:
            if durable:
                os.fsync(self._descriptor)
            self.path.rename(final)  # still locked: nobody may take it for a leftover until it is renamed
            self.final = final
            self.release()
            if durable:
                sync_folder(final.parent)
        except OSError as error:
            raise output_error(final, error, "finish") from error

    def release(self) -> None:
        """Let go of the file. Under its temporary name it is now a leftover. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _undo(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            self.torn = True
