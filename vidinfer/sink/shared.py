"""Standard output, written by several streams at once: whole lines, and no wait that nobody can end."""

from __future__ import annotations

import os
import select
import stat
import threading
from collections.abc import Callable
from typing import BinaryIO

from vidinfer.errors import SinkError

__all__ = ["SharedStream"]

_LOOK = 0.1
"""Seconds after which a waiting writer looks whether it was told to stop."""
_LARGE = 1 << 20


class SharedStream:
    """Writes lines of any number of sinks to one stream, one sink at a time.

    A write to a pipe, a socket or a terminal is made only when there is room, and never of more than ``PIPE_BUF``
    bytes: such a write does not block, and needs no ``O_NONBLOCK``, a flag that would hold for whoever else has the
    stream, too (the shell, on a terminal). So a writer whose reader stopped reading can be stopped.

    A line of which only a part could be written is completed before anything else is.

    Thread rule: share freely.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """``stream`` stays open; nobody else should write to it meanwhile."""
        self._stream = stream
        self._lock = threading.Lock()
        self._rest = b""
        """Of a line that was begun."""
        try:
            self._descriptor = stream.fileno()
        except OSError:  # a stream in memory
            self._descriptor = -1
            return
        stream.flush()
        regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._most = _LARGE if regular else select.PIPE_BUF
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)

    def write(self, lines: bytes, stopped: Callable[[], bool]) -> None:
        """Write ``lines``, whole ones. Waits for the reader, and for other writers, until ``stopped()``.

        Raises:
            SinkError: stopped.
            BrokenPipeError: the reader went away.
            OSError: disk full, …
        """
        while not self._lock.acquire(timeout=_LOOK):
            self._check(stopped)
        try:
            if self._descriptor < 0:
                self._stream.write(lines)
                self._stream.flush()
                return
            self._send(lines, stopped)
        finally:
            self._lock.release()

    def _send(self, lines: bytes, stopped: Callable[[], bool]) -> None:
        begun = len(self._rest)
        data = self._rest + lines
        sent = 0
        try:
            while sent < len(data):
                if self._poll.poll(1000 * _LOOK):
                    sent += self._write_some(data[sent : sent + self._most])
                else:
                    self._check(stopped)
        finally:
            self._rest = _rest_of_line(data, sent, begun)

    def _write_some(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # somebody made the stream non-blocking, and was faster
            return 0

    def _check(self, stopped: Callable[[], bool]) -> None:
        if stopped():
            raise SinkError("standard output: its reader does not read; what waited for it is left out")


def _rest_of_line(data: bytes, sent: int, begun: int) -> bytes:
    """What is missing of a line of ``data`` once ``sent`` bytes are out; the first ``begun`` end one that was begun."""
    if sent < begun:
        return data[sent:begun]
    if sent in (0, len(data)) or data[sent - 1 : sent] == b"\n":
        return b""
    return data[sent : data.index(b"\n", sent) + 1]
