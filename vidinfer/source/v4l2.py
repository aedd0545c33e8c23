"""Cameras of this machine, through Video4Linux."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Generator
from pathlib import Path

from vidinfer.errors import SourceError, SourceRefused, SourceUnreachable
from vidinfer.source.live_address import LiveAddress
from vidinfer.source.live_read import Arrived, LiveReader

__all__ = ["CameraReader", "check_camera", "device_number"]

_TICK = 0.1
"""Seconds between looks at the interrupt."""


def check_camera(address: LiveAddress) -> None:
    """Say what is wrong with a device before FFmpeg says less.

    Raises:
        SourceRefused: we may not read it.
        SourceError: there is none, or it is in use.
    """
    try:
        os.close(os.open(address.url, os.O_RDWR | os.O_NONBLOCK))
    except FileNotFoundError:
        there = sorted(str(path) for path in Path("/dev").glob("video*"))
        found = f"there are {', '.join(there)}" if there else "there is none at all"
        raise SourceUnreachable(f"{address.shown}: no camera at {address.url}; {found}; plug it in") from None
    except PermissionError:
        raise SourceRefused(
            f"{address.shown}: no permission for {address.url}; add yourself to the group 'video'"
        ) from None
    except OSError as error:
        what = (
            "in use by another program; end it"
            if error.errno == errno.EBUSY
            else f"{error.strerror}; plug it in again"
        )
        raise SourceError(f"{address.shown}: {address.url}: {what}") from None


def device_number(device: str) -> int | None:
    """The number under which this process has ``device`` open; a camera is opened by one reader only."""
    try:
        numbers = os.listdir("/proc/self/fd")  # noqa: PTH208 - names are all that is needed
    except OSError:
        return None
    wanted = os.path.realpath(device)
    for number in numbers:
        try:
            if os.readlink(f"/proc/self/fd/{number}") == wanted:  # noqa: PTH115
                return int(number)
        except OSError:
            continue
    return None


class CameraReader(LiveReader):
    """Waits for the device itself: FFmpeg would wait in the kernel, for ever if the camera hangs."""

    number: int | None = None
    """Of the open device, see :func:`device_number`; ``None``: FFmpeg waits itself."""

    def __iter__(self) -> Generator[Arrived]:
        """As of ``LiveReader``."""
        packets = super().__iter__()
        while self._ready():
            arrived = next(packets, None)
            if arrived is None:
                return
            yield arrived

    def _ready(self) -> bool:
        """A picture is there; else ``ended`` says why not."""
        if self.number is None:
            return True
        begun = self._clock.now()
        poll = select.poll()
        poll.register(self.number, select.POLLIN | select.POLLPRI)
        while not poll.poll(_TICK * 1000):
            if self._interrupt.is_set:
                self.ended = "interrupted"
                return False
            quiet = self._clock.now() - begun
            if quiet >= self._patience.limit:
                self._stalled(quiet)
                return False
        return True
