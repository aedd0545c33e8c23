"""Where a worker process's words go: into a file that outlives it, for whoever asks what became of it."""

from __future__ import annotations

import faulthandler
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["speak_into"]


class _Loose(io.RawIOBase):
    """Standard error as it is, but what finds no room on a full disk is lost: no unit is to blame for that, and a
    worker that raised for it would take one good file after the other with it."""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def write(self, data: Any) -> int:
        with suppress(OSError):
            os.write(2, data)
        return len(data)


def speak_into(log: Path) -> None:
    """From now on, standard output and errors of this process, Python's and those of libraries, and the traces of its
    crashes, are appended to ``log``.

    Raises:
        OSError: it cannot be opened.
    """
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    faulthandler.enable(2)
    sys.stdout = sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Loose()), errors="backslashreplace", write_through=True, line_buffering=True
    )
