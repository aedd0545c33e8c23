"""Packets that RTP lost, from the only place where FFmpeg tells it: its log.

The decoder of HEVC does not notice a piece missing from the middle of a picture, and FFmpeg passes on no numbers
of packets. The message comes on the thread that reads, in the read that meets the hole.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av.logging

__all__ = ["RtpLosses"]

_MESSAGE = "RTP: missed"
_FFMPEG = logging.getLogger("libav")
"""Where PyAV sends what nobody captures."""


class _Listening:
    """FFmpeg's log is one for the whole process, and off: it is on while anybody listens, and heard by nobody else."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners = 0
        self._before: tuple[int | None, bool, int] = (None, True, logging.WARNING)

    def begin(self) -> None:
        with self._lock:
            self._listeners += 1
            if self._listeners > 1:
                return
            level = av.logging.get_level()
            self._before = (level, av.logging.get_skip_repeated(), _FFMPEG.level)
            if level is None:  # nobody has asked to hear it
                _FFMPEG.setLevel(logging.CRITICAL + 1)
            av.logging.set_skip_repeated(False)
            av.logging.set_level(max(level or 0, av.logging.WARNING))

    def end(self) -> None:
        with self._lock:
            self._listeners -= 1
            if self._listeners:
                return
            level, repeated, heard = self._before
            av.logging.set_level(level)
            av.logging.set_skip_repeated(repeated)
            _FFMPEG.setLevel(heard)


_listening = _Listening()


class RtpLosses:
    """What one connection loses. Use as a context manager, for as long as the connection lasts.

    Thread rule: ``heard`` on the thread that reads.
    """

    def __init__(self) -> None:
        self.lost = False
        """Something was lost since this was last set to false."""

    def __enter__(self) -> RtpLosses:
        _listening.begin()
        return self

    def __exit__(self, *error: object) -> None:
        _listening.end()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen to what FFmpeg says in the block."""
        capture = av.logging.Capture(local=True)
        with capture as messages:
            try:
                yield
            finally:
                self.lost = self.lost or any(text.startswith(_MESSAGE) for _, _, text in messages)
