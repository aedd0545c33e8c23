"""A camera of this machine as the kernel shows it: Video4Linux, without FFmpeg in between.

FFmpeg's own reader waits for the first picture without an end, lends out the memory of the driver (which is gone when
the camera is), changes the format that the camera was set to, and tells neither lost pictures nor damaged ones.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import select
from collections.abc import Callable
from contextlib import ExitStack, suppress
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import NamedTuple

from vidinfer.errors import SourceError, SourceRefused, SourceUnreachable
from vidinfer.source import v4l2_words as words
from vidinfer.source.live_address import LiveAddress
from vidinfer.source.v4l2_words import Buffer, Capability, PixelFormat

__all__ = ["Captured", "Device"]

_BUFFERS = 8
"""A third of a second at 25 pictures each, for a reader that is held up; older ones are never waiting."""


class Captured(NamedTuple):
    """A picture, copied out of the driver's memory."""

    data: bytes
    stamp: int
    """Microseconds on some clock; 0: the driver has none."""
    sequence: int
    """Pictures before it since the camera was started, lost ones as well."""
    damaged: bool
    """The driver knows that not all of it came."""


class Device:
    """An open camera, set to what it was set to before.

    Thread rule: one thread at a time.
    """

    def __init__(self, where: LiveAddress, known: Callable[[str], bool]) -> None:
        """Open it, without a picture yet; ``close`` it.

        Args:
            where: its address.
            known: whether pictures of a format (four letters) can be decoded. Where the camera is set to another, the
                first in its list that can be is asked for.

        Raises:
            SourceRefused: it is of no use, or we may not use it for a reason that cannot be looked at.
            SourceUnreachable: there is none, or it may not be opened.
            SourceError: it is in use, or fails.
        """
        self._where = where
        self._stack = ExitStack()
        self._maps: list[mmap.mmap] = []
        self._number = _opened(where)
        self._stack.callback(os.close, self._number)
        try:
            self.card = self._checked().card
            """What its maker calls it."""
            self.format = self._format(known)
            self.rate = self._rate()
            """Pictures a second; ``None``: the driver does not know."""
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """For ``select``: it can be read when a picture is there."""
        return self._number

    def start(self) -> None:
        """From here on pictures come.

        Raises:
            SourceError: somebody else has it, or it fails.
        """
        try:
            answer = self._ask(words.REQUEST_BUFFERS, words.buffer_request(_BUFFERS))
            for index in range(int.from_bytes(answer[:4], "little")):
                buffer = Buffer.read(self._ask(words.QUERY_BUFFER, Buffer.named(index)))
                mapped = mmap.mmap(self._number, buffer.length, mmap.MAP_SHARED, offset=buffer.offset)
                self._maps.append(self._stack.enter_context(mapped))
                self._ask(words.QUEUE, Buffer.named(index))
            self._ask(words.STREAM_ON, words.asked(words.STREAM_ON))
            self._stack.callback(self._stop)
        except OSError as error:
            raise self._failed(error) from None

    def ready(self, seconds: float, other: int) -> bool:
        """Wait for a picture, or a failure, or until ``other`` can be read, ``seconds`` at most; whether it is the
        camera's."""
        poll = select.poll()
        poll.register(self._number, select.POLLIN)
        poll.register(other, select.POLLIN)
        return any(number == self._number for number, _ in poll.poll(seconds * 1000))

    def take(self) -> Captured | None:
        """The oldest picture; ``None``: none is there yet.

        Raises:
            OSError: the camera is gone (``ENODEV``) or fails.
        """
        try:
            buffer = Buffer.read(self._ask(words.DEQUEUE, Buffer.named()))
        except (BlockingIOError, InterruptedError):  # a signal may find the driver waiting for its own lock
            return None
        data = self._maps[buffer.index][: buffer.bytes_used]
        self._ask(words.QUEUE, Buffer.named(buffer.index))
        return Captured(data, buffer.stamp, buffer.sequence, buffer.damaged)

    def close(self) -> None:
        """Give it back. Idempotent; pictures that were taken stay good."""
        self._stack.close()

    def _stop(self) -> None:
        with suppress(OSError):  # it may be unplugged
            self._ask(words.STREAM_OFF, words.asked(words.STREAM_OFF))

    def _checked(self) -> Capability:
        try:
            found = Capability.read(self._ask(words.QUERY, words.asked(words.QUERY)))
        except OSError as error:
            raise self._useless(f"is no camera ({error.strerror})") from None
        if not found.capture:
            what = "gives its pictures in planes" if found.planes else "gives no pictures"
            raise self._useless(f"({found.card}) {what}")
        if not found.stream:
            raise self._useless(f"({found.card}) cannot stream")
        return found

    def _format(self, known: Callable[[str], bool]) -> PixelFormat:
        try:
            current = PixelFormat.read(self._ask(words.GET_FORMAT, words.asked(words.GET_FORMAT)))
            if known(current.fourcc):
                return current
            offered = self._offered()
            for letters in filter(known, offered):
                found = PixelFormat.read(self._ask(words.SET_FORMAT, current.other(letters)))
                if known(found.fourcc):
                    return found
        except OSError as error:
            raise self._failed(error) from None
        raise self._useless(f"({self.card}) has only formats that nothing decodes: {', '.join(offered)}")

    def _offered(self) -> list[str]:
        found: list[str] = []
        for index in count():
            try:
                found.append(
                    words.listed(self._ask(words.ENUM_FORMAT, words.asked(words.ENUM_FORMAT, index)))
                )
            except OSError:
                break
        return found

    def _rate(self) -> Fraction | None:
        try:
            return words.read_rate(self._ask(words.GET_RATE, words.asked(words.GET_RATE)))
        except OSError:
            return None

    def _ask(self, request: int, data: bytearray) -> bytes:
        fcntl.ioctl(self._number, request, data)
        return bytes(data)

    def _useless(self, what: str) -> SourceRefused:
        return SourceRefused(f"{self._where.shown}: {self._where.url} {what}; {_others(self._where.url)}")

    def _failed(self, error: OSError) -> SourceError:
        return _failure(self._where, error)


def _opened(where: LiveAddress) -> int:
    try:
        return os.open(where.url, os.O_RDWR | os.O_NONBLOCK)
    except FileNotFoundError:
        raise SourceUnreachable(
            f"{where.shown}: no camera at {where.url}; {_others(where.url)}; plug it in"
        ) from None
    except PermissionError:
        # A camera that is plugged in is there a moment before we are let in: it is looked at again soon (``answers``).
        kind = SourceRefused if os.access(where.url, os.R_OK | os.W_OK) else SourceUnreachable
        raise kind(
            f"{where.shown}: no permission for {where.url}; add yourself to the group 'video'"
        ) from None
    except OSError as error:
        raise _failure(where, error) from None


def _failure(where: LiveAddress, error: OSError) -> SourceError:
    if error.errno == errno.EBUSY:
        return SourceError(f"{where.shown}: {where.url} is in use by another program; end it")
    if error.errno == errno.ENOSPC:
        return SourceError(
            f"{where.shown}: {where.url} finds no room on its USB bus; set a smaller picture, a lower rate or MJPG, "
            "or plug it in elsewhere"
        )
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return SourceUnreachable(f"{where.shown}: {where.url} was unplugged; plug it in again")
    return SourceError(f"{where.shown}: {where.url} fails ({error.strerror}); plug it in again")


def _others(device: str) -> str:
    """What to try instead."""
    there = sorted(str(path) for path in Path("/dev").glob("video*") if str(path) != device)
    return f"try {' or '.join(there)}" if there else "there is no other"
